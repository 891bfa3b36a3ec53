"""How good many trajectories are: rates with their errors, votes, rewards, tool use, comparisons."""
