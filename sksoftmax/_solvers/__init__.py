"""The solvers, one a file: each sees a Problem, none the estimator."""
