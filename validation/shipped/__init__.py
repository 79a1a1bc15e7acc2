"""The simulators that ship: how each was trained and judged; its card holds what came out."""
