-- What :Ocils can do.
local client = require('ocils.client')
local M = {}

local function log_path()
  if vim.lsp.log and vim.lsp.log.get_filename then
    return vim.lsp.log.get_filename()
  end
  return vim.lsp.get_log_path()
end

-- Execute a command at the cursor; argument(place) may change what is sent.
local function at_cursor(command, argument)
  return function(words)
    local found = client.any()
    if not found then
      client.hint()
      return
    end
    require('ocils.progress').sign(words[1])
    local place = client.here(found)
    client.execute(command, argument and argument(place, words) or place, found)
  end
end

local function text_or_ask(words, prompt, answered)
  local text = table.concat(vim.list_slice(words, 2), ' ')
  if text ~= '' then
    answered(text)
    return
  end
  vim.ui.input({ prompt = prompt }, function(given)
    if given and given ~= '' then
      answered(given)
    end
  end)
end

-- With a proposal that waits: reject it for that reason. Else: a hint for the last session.
local function feedback(words)
  local proposals, sessions = require('ocils.proposal'), require('ocils.sessions')
  local waiting = next(proposals.waiting) and proposals.current()
  if not waiting and not sessions.last then
    vim.notify('ocils: nothing to go on with; :Ocils refine first', vim.log.levels.WARN)
    return
  end
  text_or_ask(words, 'What should it know? ', function(text)
    if waiting then
      proposals.reject(waiting, text)
    else
      client.execute('ocils.feedback', { session = sessions.last, text = text })
    end
  end)
end

local COMMANDS = {
  refine = at_cursor('ocils.refineUntilGreen'),
  generate = at_cursor('ocils.generate'),
  run = at_cursor('ocils.runTests', function(place, words)
    return words[2] == 'all' and { uri = place.uri } or place
  end),
  apply = function(words)
    local proposals = require('ocils.proposal')
    if next(proposals.waiting) then
      proposals.apply(proposals.current())
    else
      at_cursor('ocils.applyKept')(words)
    end
  end,
  reject = function(words)
    local proposals = require('ocils.proposal')
    local waiting = proposals.current()
    if waiting then
      proposals.reject(waiting, table.concat(vim.list_slice(words, 2), ' '))
    end
  end,
  show = function()
    local proposals = require('ocils.proposal')
    local waiting = proposals.current()
    if waiting then
      proposals.open(waiting)
    end
  end,
  feedback = feedback,
  cancel = function()
    client.execute('ocils.cancel', vim.empty_dict())
  end,
  sessions = function()
    require('ocils.sessions').choose()
  end,
  status = function()
    client.execute('ocils.status', { uri = vim.uri_from_bufnr(0) })
  end,
  pull = function(words)
    text_or_ask(words, 'Which model? ', function(name)
      client.execute('ocils.pullModel', { name = name })
    end)
  end,
  doctor = function()
    vim.cmd('checkhealth ocils')
  end,
  log = function()
    vim.cmd('tabedit ' .. vim.fn.fnameescape(log_path()))
  end,
}

-- Carry out :Ocils {words}.
function M.run(words)
  local command = COMMANDS[words[1]]
  if not command then
    vim.notify('ocils: no such command: ' .. words[1], vim.log.levels.ERROR)
    return
  end
  command(words)
end

function M.complete(lead)
  local names = vim.tbl_filter(function(name)
    return vim.startswith(name, lead)
  end, vim.tbl_keys(COMMANDS))
  table.sort(names)
  return names
end

return M
