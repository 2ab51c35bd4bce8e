-- A consumer for neotest: refine the test at the cursor.
--
--   require('neotest').setup({ consumers = { ocils = require('ocils.neotest') } })
--   :lua require('neotest').ocils.refine()
--
-- Positions of neotest-python are named as ocils names tests: the file, and the names in it.
return function(neotest)
  local consumer = {}

  -- Refine what makes a test fail: the one of that id, else the nearest one to the cursor.
  function consumer.refine(id)
    if not id then
      local file = vim.fn.expand('%:p')
      local line = vim.api.nvim_win_get_cursor(0)[1] - 1
      local tree = neotest:get_nearest(file, line, {})
      local position = tree and tree:data()
      if not position or position.type ~= 'test' then
        vim.notify('ocils: no test at the cursor', vim.log.levels.WARN)
        return
      end
      id = position.id
    end
    require('ocils.client').execute('ocils.refineUntilGreen', { test = id })
  end

  return consumer
end
