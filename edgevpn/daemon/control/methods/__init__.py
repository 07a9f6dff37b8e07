"""The methods of the control socket, a module for each noun. They take parameters by name and answer records.

What they raise is what went wrong below them; `table` says it in the words of the protocol.
"""
