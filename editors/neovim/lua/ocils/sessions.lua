-- What was tried: a list of sessions, and the attempts of one as a text.
local client = require('ocils.client')
local M = {}

-- The session that ended last, for :Ocils feedback.
M.last = nil

function M.on_session(event)
  if event.kind == 'started' or event.kind == 'ended' then
    M.last = event.session
  end
end

local function lines_of(answer)
  local session = answer.session
  local lines = {
    ('# %s: %s, %d candidates in %d turns'):format(
      session.target,
      session.outcome,
      session.candidates,
      session.turns
    ),
    '# ' .. session.model,
  }
  local function say(text)
    vim.list_extend(lines, vim.split(text, '\n'))
  end
  for number, attempt in ipairs(answer.attempts) do
    local level = attempt.verdict.level ~= '' and (', ' .. attempt.verdict.level) or ''
    say('')
    say(('# %d. %s: %s'):format(number, attempt.strategy, attempt.note))
    say('#    ' .. attempt.verdict.outcome .. level .. ': ' .. attempt.verdict.message:gsub('%s+', ' '))
    for index, test in ipairs(attempt.failing) do
      if index <= 3 then
        say('#    fails: ' .. test)
      end
    end
    say((attempt.diff:gsub('\n$', '')))
  end
  return lines
end

-- Show a session's attempts in a window of their own.
function M.show(session)
  client.ask('ocils/attempts', { session = session }, function(answer)
    vim.cmd('botright new')
    local buffer = vim.api.nvim_get_current_buf()
    vim.api.nvim_buf_set_lines(buffer, 0, -1, false, lines_of(answer))
    vim.bo[buffer].buftype = 'nofile'
    vim.bo[buffer].bufhidden = 'wipe'
    vim.bo[buffer].filetype = 'diff'
    vim.bo[buffer].modifiable = false
    vim.keymap.set('n', 'q', '<Cmd>close<CR>', { buffer = buffer })
  end)
end

-- Choose one of the newest sessions and show it.
function M.choose()
  client.ask('ocils/sessions', { count = 50 }, function(answer)
    if #answer.sessions == 0 then
      vim.notify('ocils: no sessions yet')
      return
    end
    vim.ui.select(answer.sessions, {
      prompt = 'ocils sessions',
      format_item = function(each)
        local when = each.started > 0 and os.date('%Y-%m-%d %H:%M  ', math.floor(each.started)) or ''
        return ('%s%s: %s, %d candidates'):format(when, each.target, each.outcome, each.candidates)
      end,
    }, function(chosen)
      if chosen then
        M.show(chosen.session)
      end
    end)
  end)
end

return M
