"""`python -m tinybert_tf` is the command line `tinybert-tf`."""

from tinybert_tf.cli import main

if __name__ == "__main__":
    main()
