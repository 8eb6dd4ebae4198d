"""The sandbox's routes, a module for each subject of GitHub's API."""
