"""The solvers, one a file. Each solver sees a Problem, and none sees the estimator."""
