"""`python -m mangapaint` is the same as `mangapaint`."""

from mangapaint.cli.app import main

if __name__ == "__main__":
    main()
