-- Defines :Ocils. Loading this starts nothing; require('ocils').setup() or
-- vim.lsp.enable('ocils') does.
if vim.g.loaded_ocils then
  return
end
vim.g.loaded_ocils = true

vim.api.nvim_create_user_command('Ocils', function(given)
  require('ocils').command(given.fargs)
end, {
  nargs = '+',
  desc = 'Make failing tests pass: refine, run, generate, feedback, cancel, sessions, log',
  complete = function(lead)
    return require('ocils').complete(lead)
  end,
})
