-- For Neovim 0.11 and newer: vim.lsp.enable('ocils'), and nothing else.
return {
  cmd = { 'ocils', 'serve' },
  filetypes = { 'python' },
  root_markers = { 'pyproject.toml', 'setup.cfg', 'setup.py', 'pytest.ini', 'tox.ini', '.git' },
  handlers = require('ocils').handlers,
  on_attach = require('ocils').on_attach,
}
