"""Every resource: importing this fills the table of routes. A new one is a module with handlers and a line here."""
from . import res_account, res_git, res_pipelines, res_pulls, res_repo, res_src     # noqa: F401
