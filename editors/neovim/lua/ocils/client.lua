-- The server's client in this Neovim, whatever the version, and how to ask it something.
local M = {}

-- The clients named ocils: of one buffer, or all of them.
function M.all(buffer)
  if vim.lsp.get_clients then
    return vim.lsp.get_clients({ name = 'ocils', bufnr = buffer })
  end
  local found = {}
  local known = buffer and vim.lsp.buf_get_clients(buffer) or vim.lsp.get_active_clients()
  for _, client in pairs(known) do
    if client.name == 'ocils' then
      table.insert(found, client)
    end
  end
  return found
end

-- The client of the current buffer, else any.
function M.any()
  return M.all(vim.api.nvim_get_current_buf())[1] or M.all()[1]
end

-- 0.11 made methods of what used to be plain functions.
local is_new = vim.fn.has('nvim-0.11') == 1

function M.send(client, method, params, answered, buffer)
  if is_new then
    return client:request(method, params, answered, buffer)
  end
  return client.request(method, params, answered, buffer)
end

local function complain(problem)
  vim.notify('ocils: ' .. (problem.message or vim.inspect(problem)), vim.log.levels.ERROR)
end

-- Ask one of our own requests; answered(result) is called when there is a result.
function M.ask(method, params, answered)
  local client = M.any()
  if not client then
    M.hint()
    return
  end
  M.send(client, method, params, function(problem, result)
    if problem then
      complain(problem)
    elseif result ~= nil and result ~= vim.NIL then
      answered(result)
    end
  end)
end

-- Execute a command of the server.
function M.execute(command, argument, client)
  client = client or M.any()
  if not client then
    M.hint()
    return
  end
  local params = { command = command, arguments = { argument } }
  return M.send(client, 'workspace/executeCommand', params, function(problem)
    if problem then
      complain(problem)
    end
  end)
end

function M.hint()
  vim.notify(
    'ocils: not attached; open a Python file, or see :checkhealth ocils',
    vim.log.levels.WARN
  )
end

-- The cursor's place, as the server counts.
function M.here(client)
  local params = vim.lsp.util.make_position_params(0, client.offset_encoding)
  return { uri = params.textDocument.uri, position = params.position }
end

return M
