"""Floor 7: methods side by side, on pairs of keyframes whose true in-betweens are known."""
