"""What memcheck wrote about the processes of a server."""

import glob
import os
import re


def reports(folder):
    """Reports of all processes in `folder`, each with the name of its file; and how many processes have summed up."""
    found, finished = [], 0
    for path in sorted(glob.glob(os.path.join(folder, "valgrind.*"))):
        with open(path, errors="replace") as file:
            text = re.sub(r"(?m)^==\d+== ?", "", file.read())
        finished += "ERROR SUMMARY" in text
        # A report is a paragraph with a stack.
        found += [(os.path.basename(path), part) for part in text.split("\n\n") if re.search(r"^ +at 0x", part, re.M)]
    return found, finished
