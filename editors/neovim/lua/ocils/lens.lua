-- "Run | Refine" above tests and failing functions.
--
-- vim.lsp.codelens.refresh() drops what is asked for while it waits, and up to 0.9 leaves the last
-- lens standing when there is none any more. So we ask ourselves, and let it draw.
local client = require('ocils.client')
local M = {}

function M.refresh(buffer)
  local attached = vim.api.nvim_buf_is_loaded(buffer) and client.all(buffer) or {}
  if #attached == 0 then
    return
  end
  if vim.lsp.codelens.enable then
    vim.lsp.codelens.enable(true, { bufnr = buffer })
    return
  end
  for _, each in pairs(attached) do
    local params = { textDocument = { uri = vim.uri_from_bufnr(buffer) } }
    local function answered(problem, result, context)
      if problem or not vim.api.nvim_buf_is_loaded(buffer) then
        return
      end
      local namespaces = vim.lsp.codelens.__namespaces
      if namespaces then
        vim.api.nvim_buf_clear_namespace(buffer, namespaces[each.id], 0, -1)
      end
      vim.lsp.codelens.on_codelens(problem, result or {}, context)
    end
    client.send(each, 'textDocument/codeLens', params, answered, buffer)
  end
end

-- Keep the lenses fresh from now on, in an autocommand group.
function M.follow(group)
  vim.api.nvim_create_autocmd({ 'BufEnter', 'InsertLeave', 'TextChanged', 'DiagnosticChanged' }, {
    group = group,
    callback = function(event)
      M.refresh(event.buf)
    end,
  })
end

return M
