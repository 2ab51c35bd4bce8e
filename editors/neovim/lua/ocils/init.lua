-- ocils: make failing tests pass. See :help ocils.
--
-- Works from Neovim 0.7.2 (Debian 12) on: what newer versions have is used where it is there.
local M = {}

M.config = {
  -- How the server is started.
  cmd = { 'ocils', 'serve' },
  -- The user's settings: model, sandbox, refine, record. See the server's README.
  settings = {},
  filetypes = { 'python' },
  root_markers = { 'pyproject.toml', 'setup.cfg', 'setup.py', 'pytest.ini', 'tox.ini', '.git' },
  -- Show "Run | Refine" above tests and failing functions.
  lens = true,
  -- Show what is happening in the command line.
  progress = true,
}

local COMMANDS = {
  refine = 'ocils.refineUntilGreen',
  run = 'ocils.runTests',
  generate = 'ocils.generate',
  apply = 'ocils.applyKept',
  cancel = 'ocils.cancel',
  status = 'ocils.status',
}

-- Messages go through vim.notify, so that a notification plugin shows them if there is one.
local LEVELS = {
  vim.log.levels.ERROR,
  vim.log.levels.WARN,
  vim.log.levels.INFO,
  vim.log.levels.INFO,
  vim.log.levels.DEBUG,
}

M.handlers = {
  ['window/showMessage'] = function(_, params)
    vim.notify('ocils: ' .. params.message, LEVELS[params.type] or vim.log.levels.INFO)
    return vim.NIL
  end,
}

local function clients(buffer)
  local found = {}
  if vim.lsp.get_clients then
    return vim.lsp.get_clients({ name = 'ocils', bufnr = buffer })
  end
  for _, client in pairs(vim.lsp.buf_get_clients(buffer or 0)) do
    if client.name == 'ocils' then
      table.insert(found, client)
    end
  end
  return found
end

local function any_client()
  local here = clients(0)
  if #here > 0 then
    return here[1]
  end
  local all = vim.lsp.get_clients and vim.lsp.get_clients({ name = 'ocils' })
    or vim.lsp.get_active_clients()
  for _, client in pairs(all) do
    if client.name == 'ocils' then
      return client
    end
  end
end

local function send(client, method, params, answered, buffer)
  -- 0.11 made methods of what used to be plain functions.
  if vim.fn.has('nvim-0.11') == 1 then
    return client:request(method, params, answered, buffer)
  end
  return client.request(method, params, answered, buffer)
end

local function request(client, command, argument)
  local params = { command = command, arguments = { argument } }
  local function answered(problem)
    if problem then
      vim.notify('ocils: ' .. (problem.message or vim.inspect(problem)), vim.log.levels.ERROR)
    end
  end
  return send(client, 'workspace/executeCommand', params, answered, 0)
end

local function here(client)
  local params = vim.lsp.util.make_position_params(0, client.offset_encoding)
  return { uri = params.textDocument.uri, position = params.position }
end

local function log_path()
  if vim.lsp.log and vim.lsp.log.get_filename then
    return vim.lsp.log.get_filename()
  end
  return vim.lsp.get_log_path()
end

-- Carry out :Ocils {arguments}.
function M.command(arguments)
  local name = arguments[1]
  if name == 'log' then
    vim.cmd('tabedit ' .. vim.fn.fnameescape(log_path()))
    return
  end
  if not COMMANDS[name] then
    vim.notify('ocils: no such command: ' .. name, vim.log.levels.ERROR)
    return
  end
  local client = any_client()
  if not client then
    vim.notify(
      'ocils: not attached; open a Python file, or see :checkhealth ocils',
      vim.log.levels.WARN
    )
    return
  end
  local argument
  if name == 'cancel' then
    argument = vim.empty_dict()
  elseif name == 'status' then
    argument = { uri = vim.uri_from_bufnr(0) }
  else
    argument = here(client)
    if name == 'run' and arguments[2] == 'all' then
      argument.position = nil
    end
  end
  request(client, COMMANDS[name], argument)
end

function M.complete(lead)
  local names = vim.tbl_keys(COMMANDS)
  table.insert(names, 'log')
  table.sort(names)
  return vim.tbl_filter(function(name)
    return vim.startswith(name, lead)
  end, names)
end

local function root_of(buffer)
  local path = vim.fn.fnamemodify(vim.api.nvim_buf_get_name(buffer), ':p:h')
  local folder = path
  while true do
    for _, marker in ipairs(M.config.root_markers) do
      local candidate = folder .. '/' .. marker
      if vim.fn.filereadable(candidate) == 1 or vim.fn.isdirectory(candidate) == 1 then
        return folder
      end
    end
    local above = vim.fn.fnamemodify(folder, ':h')
    if above == folder then
      return path
    end
    folder = above
  end
end

local function is_attached(buffer)
  return #clients(buffer) > 0
end

-- vim.lsp.codelens.refresh() drops what is asked for while it waits, and up to 0.9 leaves the last
-- lens standing when there is none any more. So we ask ourselves, and let it draw.
local function refresh_lens(buffer)
  if not (vim.api.nvim_buf_is_loaded(buffer) and is_attached(buffer)) then
    return
  end
  if vim.lsp.codelens.enable then
    vim.lsp.codelens.enable(true, { bufnr = buffer })
    return
  end
  for _, client in pairs(clients(buffer)) do
    local params = { textDocument = { uri = vim.uri_from_bufnr(buffer) } }
    local function answered(problem, result, context)
      if problem or not vim.api.nvim_buf_is_loaded(buffer) then
        return
      end
      local namespaces = vim.lsp.codelens.__namespaces
      if namespaces then
        vim.api.nvim_buf_clear_namespace(buffer, namespaces[client.id], 0, -1)
      end
      vim.lsp.codelens.on_codelens(problem, result or {}, context)
    end
    send(client, 'textDocument/codeLens', params, answered, buffer)
  end
end

-- A lens can be asked for as soon as the server is there.
function M.on_attach(_, buffer)
  if M.config.lens then
    refresh_lens(buffer)
  end
end

local function server_config(root)
  return {
    on_attach = M.on_attach,
    name = 'ocils',
    cmd = M.config.cmd,
    root_dir = root,
    settings = { ocils = M.config.settings },
    handlers = M.handlers,
  }
end

-- Attach the server to a buffer, starting it for the buffer's project when it is not there yet.
function M.attach(buffer)
  buffer = (buffer == nil or buffer == 0) and vim.api.nvim_get_current_buf() or buffer
  local name = vim.api.nvim_buf_get_name(buffer)
  if vim.bo[buffer].buftype ~= '' or name == '' or name:match('^%a[%w+.-]+://') then
    return
  end
  local root = root_of(buffer)
  if vim.lsp.start then
    return vim.lsp.start(server_config(root), { bufnr = buffer })
  end
  for _, client in pairs(vim.lsp.get_active_clients()) do
    if client.name == 'ocils' and client.config.root_dir == root then
      vim.lsp.buf_attach_client(buffer, client.id)
      return client.id
    end
  end
  local id = vim.lsp.start_client(server_config(root))
  if id then
    vim.lsp.buf_attach_client(buffer, id)
  end
  return id
end

-- One line of progress, cut to the command line: longer text would ask for Enter.
local function show(title, message, percentage)
  local text = 'ocils: ' .. title .. (message and message ~= '' and (': ' .. message) or '')
  if percentage then
    text = text .. string.format(' (%d%%)', percentage)
  end
  local room = vim.v.echospace
  if vim.fn.strdisplaywidth(text) > room then
    text = vim.fn.strcharpart(text, 0, room - 1) .. '…'
  end
  vim.api.nvim_echo({ { text } }, false, {})
  vim.cmd('redraw')
end

local titles = {}

local function on_progress(data)
  local token, value = data.params.token, data.params.value
  titles[token] = value.title or titles[token]
  show(titles[token] or '', value.message, value.kind ~= 'end' and value.percentage or nil)
  if value.kind == 'end' then
    titles[token] = nil
  end
end

-- Up to 0.9 the event carries nothing, and each client keeps its messages.
local function on_old_progress()
  local client = any_client()
  for token, entry in pairs(client and client.messages.progress or {}) do
    if type(token) == 'string' and vim.startswith(token, 'ocils-') and entry.title then
      show(entry.title, entry.message, not entry.done and entry.percentage or nil)
      if entry.done then
        client.messages.progress[token] = nil
      end
    end
  end
end

-- Start ocils for Python files from now on, those that are open included.
function M.setup(options)
  M.config = vim.tbl_deep_extend('force', M.config, options or {})
  local group = vim.api.nvim_create_augroup('ocils', { clear = true })
  vim.api.nvim_create_autocmd('FileType', {
    group = group,
    pattern = M.config.filetypes,
    callback = function(event)
      M.attach(event.buf)
    end,
  })
  if M.config.lens then
    vim.api.nvim_create_autocmd({ 'BufEnter', 'InsertLeave', 'TextChanged', 'DiagnosticChanged' }, {
      group = group,
      callback = function(event)
        refresh_lens(event.buf)
      end,
    })
  end
  if M.config.progress then
    if vim.fn.exists('##LspProgress') == 1 then
      vim.api.nvim_create_autocmd('LspProgress', {
        group = group,
        callback = function(event)
          local client = vim.lsp.get_client_by_id(event.data.client_id)
          if client and client.name == 'ocils' then
            on_progress(event.data)
          end
        end,
      })
    else
      vim.api.nvim_create_autocmd('User', {
        group = group,
        pattern = 'LspProgressUpdate',
        callback = on_old_progress,
      })
    end
  end
  for _, buffer in ipairs(vim.api.nvim_list_bufs()) do
    local loaded = vim.api.nvim_buf_is_loaded(buffer)
    if loaded and vim.tbl_contains(M.config.filetypes, vim.bo[buffer].filetype) then
      M.attach(buffer)
    end
  end
end

return M
