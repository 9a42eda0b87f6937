"""`python -m vssl` and `torchrun -m vssl` are the command `vssl`."""

from vssl.cli import main

if __name__ == "__main__":
    main()
