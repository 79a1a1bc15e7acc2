"""Speed on this machine, as ratios of contenders that were measured side by side."""
