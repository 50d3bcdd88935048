"""Every resource: importing this fills the table of routes. A new one is a module with handlers and a line here."""
from . import (res_account, res_commits, res_config, res_diffs, res_downloads, res_pipelines, res_pulls, res_refs,  # noqa: F401
               res_repo, res_review, res_settings, res_snippets, res_src, res_workspace)
