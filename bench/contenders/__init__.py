"""Programs that the benchmarks run as processes of their own: plain loops, and the peers' few lines of glue."""
