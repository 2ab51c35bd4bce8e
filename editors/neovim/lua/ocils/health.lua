-- :checkhealth ocils: what `ocils doctor` says, and whether the server is attached.
local M = {}

local function reporters()
  if vim.health and vim.health.ok then
    return vim.health
  end
  local old = vim.health and vim.health.report_ok and vim.health or require('health')
  return {
    start = old.report_start,
    ok = old.report_ok,
    warn = old.report_warn,
    error = old.report_error,
    info = old.report_info,
  }
end

function M.check()
  local say = reporters()
  local config = require('ocils').config
  say.start('ocils')
  if vim.fn.has('nvim-0.7.2') == 0 then
    say.error('Neovim 0.7.2 or newer is needed')
    return
  end
  local program = config.cmd[1]
  if vim.fn.executable(program) == 0 then
    say.error(program .. ' is not on PATH', {
      'pip install ocils',
      "or name it: require('ocils').setup({ cmd = { '/path/to/ocils', 'serve' } })",
    })
    return
  end
  say.ok('server: ' .. vim.fn.exepath(program))

  -- The command is the server's with "doctor" in the place of "serve".
  local command = {}
  for _, word in ipairs(config.cmd) do
    table.insert(command, word == 'serve' and 'doctor' or word)
  end
  local problem
  for _, line in ipairs(vim.fn.systemlist(command)) do
    local good, bad = line:match('^✓%s*(.*)'), line:match('^✗%s*(.*)')
    local mend = line:match('^%s*→%s*(.*)')
    if problem and mend then
      say.error(problem, { mend })
      problem = nil
    elseif good then
      say.ok(good)
    elseif bad then
      if problem then
        say.error(problem)
      end
      problem = bad
    elseif line:match('%S') then
      say.info(line)
    end
  end
  if problem then
    say.error(problem)
  end

  local attached = #require('ocils.client').all()
  if attached > 0 then
    say.ok('running')
  else
    say.warn("not running: open a Python file after require('ocils').setup()")
  end

  if vim.fn.has('nvim-0.11') == 0 then
    say.info("this Neovim has no vim.lsp.enable(): require('ocils').setup() starts the server")
  end
  if not config.preview then
    say.info('proposals are not shown in a window: preview = false')
  end
  if pcall(require, 'neotest') then
    say.info("neotest is here: consumers = { ocils = require('ocils.neotest') }")
  end
end

return M
