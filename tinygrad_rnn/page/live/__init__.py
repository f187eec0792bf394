"""How does a network run in the reader's own page, offline? Its traced steps, as JavaScript.

An elementwise op's text stands in its row; ``lowering`` says what larger ops are made of, ``places`` where
values lie, ``body`` how they are computed, ``program_text`` writes a step's functions, ``network`` a model's.
"""
