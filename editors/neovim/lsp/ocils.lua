-- For Neovim 0.11 and newer: vim.lsp.enable('ocils'), and nothing else.
local ocils = require('ocils')

return {
  cmd = { 'ocils', 'serve' },
  filetypes = { 'python' },
  root_markers = { 'pyproject.toml', 'setup.cfg', 'setup.py', 'pytest.ini', 'tox.ini', '.git' },
  init_options = ocils.init_options(),
  handlers = ocils.handlers,
  on_attach = ocils.on_attach,
  on_exit = ocils.on_exit,
}
