"""From runs to a training set in a folder."""
