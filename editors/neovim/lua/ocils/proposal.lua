-- A proposal in a floating window: its difference, what to look at, and what to do about it.
local client = require('ocils.client')
local M = {}

-- The proposals that wait, by id, and the newest one.
M.waiting = {}
M.newest = nil
local shown = {}

local KEYS = ' a apply   r reject   R reject with a reason   s attempts   q later '

local function diff(before, after)
  local make = vim.text and vim.text.diff or vim.diff
  return make(before, after, { result_type = 'unified', ctxlen = 3 })
end

-- The lines of the window: what it does, what to beware of, and the differences.
function M.lines(proposal)
  local lines = { proposal.summary }
  local function say(text)
    for _, line in ipairs(vim.split(text, '\n')) do
      table.insert(lines, line)
    end
  end
  for _, reason in ipairs(proposal.suspicious) do
    say('Look twice: it ' .. reason)
  end
  if #proposal.unexecuted > 0 then
    local numbers = vim.tbl_map(function(line)
      return tostring(line + 1)
    end, proposal.unexecuted)
    say('No test runs line ' .. table.concat(numbers, ', '))
  end
  local level = proposal.verdict.level ~= '' and (' (' .. proposal.verdict.level .. ')') or ''
  say(proposal.verdict.message .. level)
  for _, file in ipairs(proposal.files) do
    local name = vim.fn.fnamemodify(vim.uri_to_fname(file.uri), ':~:.')
    say('')
    say('--- ' .. name)
    say('+++ ' .. name)
    say((diff(file.before, file.after):gsub('\r', ''):gsub('\n$', '')))
  end
  for _, rival in ipairs(proposal.rivals) do
    say('')
    say('Also green: ' .. rival.note)
  end
  return lines
end

local function close(id)
  local window = shown[id]
  shown[id] = nil
  if window and vim.api.nvim_win_is_valid(window) then
    vim.api.nvim_win_close(window, true)
  end
end

function M.apply(proposal)
  close(proposal.proposal)
  client.execute('ocils.apply', { proposal = proposal.proposal })
end

-- Reject; with a reason the search goes on, told that reason.
function M.reject(proposal, reason)
  close(proposal.proposal)
  client.execute('ocils.reject', { proposal = proposal.proposal, reason = reason or '' })
end

function M.reject_with_a_reason(proposal)
  vim.ui.input({ prompt = 'What is wrong with it? ' }, function(reason)
    if reason and reason ~= '' then
      M.reject(proposal, reason)
    end
  end)
end

local function map(buffer, keys, action)
  for _, key in ipairs(keys) do
    vim.keymap.set('n', key, action, { buffer = buffer, nowait = true, silent = true })
  end
end

-- Open the window, with the cursor in it.
function M.open(proposal)
  close(proposal.proposal)
  local lines = M.lines(proposal)
  local buffer = vim.api.nvim_create_buf(false, true)
  vim.api.nvim_buf_set_lines(buffer, 0, -1, false, lines)
  vim.bo[buffer].filetype = 'diff'
  vim.bo[buffer].bufhidden = 'wipe'
  vim.bo[buffer].modifiable = false
  local width = vim.fn.strdisplaywidth(KEYS)
  for _, line in ipairs(lines) do
    width = math.max(width, vim.fn.strdisplaywidth(line))
  end
  width = math.min(width, vim.o.columns - 4)
  local height = math.min(#lines, vim.o.lines - 6)
  local options = {
    relative = 'editor',
    row = math.max(0, math.floor((vim.o.lines - height) / 2) - 1),
    col = math.max(0, math.floor((vim.o.columns - width) / 2)),
    width = width,
    height = height,
    style = 'minimal',
    border = 'rounded',
  }
  if vim.fn.has('nvim-0.9') == 1 then
    options.title = ' ocils: ' .. proposal.target .. ' '
  end
  if vim.fn.has('nvim-0.10') == 1 then
    options.footer = KEYS
  else
    vim.bo[buffer].modifiable = true
    vim.api.nvim_buf_set_lines(buffer, -1, -1, false, { '', KEYS })
    vim.bo[buffer].modifiable = false
    options.height = math.min(#lines + 2, vim.o.lines - 4)
  end
  local window = vim.api.nvim_open_win(buffer, true, options)
  vim.wo[window].wrap = false
  shown[proposal.proposal] = window
  map(buffer, { 'a', '<CR>' }, function()
    M.apply(proposal)
  end)
  map(buffer, { 'r' }, function()
    M.reject(proposal)
  end)
  map(buffer, { 'R' }, function()
    M.reject_with_a_reason(proposal)
  end)
  map(buffer, { 's' }, function()
    close(proposal.proposal)
    require('ocils.sessions').show(proposal.session)
  end)
  map(buffer, { 'q', '<Esc>' }, function()
    close(proposal.proposal)
    vim.notify('ocils: ' .. proposal.target .. ' waits; :Ocils show, or a code action, has it')
  end)
end

-- Nobody who is typing is interrupted: the window comes when they leave insert mode.
local function open_when_calm(proposal)
  if vim.fn.mode() == 'n' and vim.fn.getcmdwintype() == '' then
    M.open(proposal)
    return
  end
  vim.notify('ocils: ' .. proposal.summary .. '; :Ocils show')
  vim.api.nvim_create_autocmd('InsertLeave', {
    once = true,
    callback = vim.schedule_wrap(function()
      if M.waiting[proposal.proposal] and not shown[proposal.proposal] then
        M.open(proposal)
      end
    end),
  })
end

function M.on_proposal(proposal)
  M.waiting[proposal.proposal] = proposal
  M.newest = proposal.proposal
  vim.schedule(function()
    open_when_calm(proposal)
  end)
end

-- Of what came of it the server tells us alone: we have shown it.
local LEVELS = {
  applied = vim.log.levels.INFO,
  kept = vim.log.levels.WARN,
  doubtful = vim.log.levels.ERROR,
}

function M.on_ended(ended)
  if LEVELS[ended.outcome] then
    vim.schedule(function()
      vim.notify('ocils: ' .. ended.message, LEVELS[ended.outcome])
    end)
  end
  -- What was kept can still be applied.
  if ended.outcome ~= 'kept' and ended.outcome ~= 'doubtful' then
    M.waiting[ended.proposal] = nil
    vim.schedule(function()
      close(ended.proposal)
    end)
  end
end

-- The newest proposal that still waits, or nil and a word about it.
function M.current()
  local found = M.newest and M.waiting[M.newest]
  if not found then
    for _, each in pairs(M.waiting) do
      found = each
    end
  end
  if not found then
    vim.notify('ocils: no proposal waits', vim.log.levels.WARN)
  end
  return found
end

return M
