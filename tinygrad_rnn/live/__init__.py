"""The traced step as JavaScript: a network that runs in the reader's own page, offline.

``expressions`` says what each op is in JavaScript, ``lowering`` what larger ops are made of,
``places`` where values lie, ``program_text`` writes a program's two functions.
"""
