"""The two ends of a connection, one file per transport, all with the same two classes: ``Sender`` and ``Receiver``."""
