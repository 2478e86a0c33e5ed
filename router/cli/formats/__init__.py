"""What a command found, in the forms that other programs read. Pure: values in, text out.

    values     an annotation at a file and a line; a case that passed or failed
    github     annotations, as commands in the log of a step of GitHub Actions
    junit      cases, as an XML report: GitLab, Azure DevOps, Jenkins and what reads tests for GitHub

Nothing here knows of rules, so that every command can print so. Names of files and what rules say may
be anybody's words: no form lets them act.
"""
