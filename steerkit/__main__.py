"""`python -m steerkit` is the console script."""

from steerkit.cli import main

if __name__ == "__main__":
    main()
