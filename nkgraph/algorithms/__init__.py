"""Analytics over a ``Graph`` or a ``CSR``: checked front doors to the kernels.

Every function takes ``connection_type=`` and ``direction=`` (and ``weight=`` where it has weights),
``threads=`` and ``progress=``. Answers are arrays by node id, the same bits for any number of
threads; removed node ids carry the sentinel of the answer.
"""
