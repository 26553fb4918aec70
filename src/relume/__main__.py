"""``python -m relume``, which is also what ``torchrun -m`` starts."""

from relume.cli.main import main

if __name__ == "__main__":
    main()
