-- ocils: make failing tests pass. See :help ocils.
--
-- Works from Neovim 0.7.2 (Debian 12) on: what newer versions have is used where it is there.
local client = require('ocils.client')
local M = {}

M.config = {
  -- How the server is started.
  cmd = { 'ocils', 'serve' },
  -- The user's settings: model, sandbox, refine, editor, record. See :help ocils-settings.
  settings = {},
  filetypes = { 'python' },
  root_markers = { 'pyproject.toml', 'setup.cfg', 'setup.py', 'pytest.ini', 'tox.ini', '.git' },
  -- Show "Run | Refine" above tests and failing functions.
  lens = true,
  -- Show what is happening in the command line.
  progress = true,
  -- Show a proposal in a floating window, before it is applied.
  preview = true,
}

-- What the server is told at the start: of us, and the settings, which 0.7 does not send by itself.
function M.init_options()
  return {
    ocils = next(M.config.settings) and M.config.settings or vim.empty_dict(),
    client = { proposalView = M.config.preview, status = true, sessions = true },
  }
end

-- Messages go through vim.notify, so that a notification plugin shows them if there is one.
local LEVELS = {
  vim.log.levels.ERROR,
  vim.log.levels.WARN,
  vim.log.levels.INFO,
  vim.log.levels.INFO,
  vim.log.levels.DEBUG,
}

local status = {}

M.handlers = {
  ['window/showMessage'] = function(_, params)
    vim.notify('ocils: ' .. params.message, LEVELS[params.type] or vim.log.levels.INFO)
    return vim.NIL
  end,
  ['ocils/status'] = function(_, params)
    status = params
    vim.cmd('redrawstatus')
  end,
  ['ocils/proposal'] = function(_, params)
    require('ocils.proposal').on_proposal(params)
  end,
  ['ocils/proposalEnded'] = function(_, params)
    require('ocils.proposal').on_ended(params)
  end,
  ['ocils/session'] = function(_, params)
    require('ocils.sessions').on_session(params)
  end,
}

-- A few characters for a status line: "" when the server does not run.
function M.status()
  if #client.all() == 0 or not status.state then
    return ''
  end
  -- Of the model only what one waits for, or what keeps it from working; null comes as userdata.
  local model = type(status.modelState) == 'table' and status.modelState or {}
  if model.kind == 'downloading' or model.kind == 'absent' or model.kind == 'failed' then
    return 'ocils: model ' .. model.words
  end
  if model.kind == 'loading' and status.state ~= 'busy' then
    return 'ocils: model ' .. model.words
  end
  if status.state == 'busy' and status.running[1] then
    return 'ocils: ' .. status.running[1].message
  end
  return status.state == 'error' and 'ocils: ' .. status.problem or 'ocils'
end

-- Carry out :Ocils {words}.
function M.command(words)
  require('ocils.commands').run(words)
end

function M.complete(lead)
  return require('ocils.commands').complete(lead)
end

-- What lenses and code actions lead to: the server's own commands, with a sign of work at once.
local function register_commands()
  for _, name in ipairs({ 'refineUntilGreen', 'generate', 'runTests', 'applyKept', 'rejectKept' }) do
    vim.lsp.commands['ocils.' .. name] = function(command, context)
      local found = context and context.client_id and vim.lsp.get_client_by_id(context.client_id)
      require('ocils.progress').sign(command.title)
      client.execute(command.command, command.arguments[1], found)
    end
  end
end

-- A lens can be asked for as soon as the server is there.
function M.on_attach(_, buffer)
  register_commands()
  if M.config.lens then
    require('ocils.lens').refresh(buffer)
  end
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

-- The server was ended by something else than us: say so, and how to go on.
local function on_exit(code, signal)
  if (code ~= 0 or signal ~= 0) and vim.v.exiting == vim.NIL then
    vim.schedule(function()
      require('ocils.proposal').waiting = {}
      vim.notify(
        ('ocils: the server ended (code %d, signal %d); what ran is lost, nothing was changed. '):format(
          code,
          signal
        ) .. ':Ocils log says more, :edit starts it again',
        vim.log.levels.ERROR
      )
    end)
  end
end

local function server_config(root)
  return {
    on_attach = M.on_attach,
    on_exit = on_exit,
    name = 'ocils',
    cmd = M.config.cmd,
    root_dir = root,
    init_options = M.init_options(),
    settings = { ocils = M.config.settings },
    handlers = M.handlers,
  }
end

M.on_exit = on_exit

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
  for _, each in pairs(client.all()) do
    if each.config.root_dir == root then
      vim.lsp.buf_attach_client(buffer, each.id)
      return each.id
    end
  end
  local id = vim.lsp.start_client(server_config(root))
  if id then
    vim.lsp.buf_attach_client(buffer, id)
  end
  return id
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
    require('ocils.lens').follow(group)
  end
  if M.config.progress then
    require('ocils.progress').follow(group)
  end
  for _, buffer in ipairs(vim.api.nvim_list_bufs()) do
    local loaded = vim.api.nvim_buf_is_loaded(buffer)
    if loaded and vim.tbl_contains(M.config.filetypes, vim.bo[buffer].filetype) then
      M.attach(buffer)
    end
  end
end

return M
