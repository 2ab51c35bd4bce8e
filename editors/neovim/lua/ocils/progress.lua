-- What is happening, in the command line: through Neovim's own progress handlers.
local client = require('ocils.client')
local M = {}

-- One line, cut to the command line: longer text would ask for Enter.
local function write(text)
  local room = vim.v.echospace
  if vim.fn.strdisplaywidth(text) > room then
    text = vim.fn.strcharpart(text, 0, room - 1) .. '…'
  end
  vim.api.nvim_echo({ { text } }, false, {})
  vim.cmd('redraw')
end

-- The first sign of work is ours: the server's own comes a moment later.
function M.sign(what)
  -- What still stands there, such as the list that was chosen from, goes first: below it Neovim
  -- would ask for Enter.
  vim.cmd('redraw')
  write('ocils: ' .. what .. ' …')
end

local function show(title, message, percentage)
  local text = 'ocils: ' .. title .. (message and message ~= '' and (': ' .. message) or '')
  if percentage then
    text = text .. string.format(' (%d%%)', percentage)
  end
  write(text)
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
  local found = client.any()
  for token, entry in pairs(found and found.messages.progress or {}) do
    if type(token) == 'string' and vim.startswith(token, 'ocils-') and entry.title then
      show(entry.title, entry.message, not entry.done and entry.percentage or nil)
      if entry.done then
        found.messages.progress[token] = nil
      end
    end
  end
end

-- Follow the progress from now on, in an autocommand group.
function M.follow(group)
  if vim.fn.exists('##LspProgress') == 1 then
    vim.api.nvim_create_autocmd('LspProgress', {
      group = group,
      callback = function(event)
        local found = vim.lsp.get_client_by_id(event.data.client_id)
        if found and found.name == 'ocils' then
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

return M
