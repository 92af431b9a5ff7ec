"""What can go wrong between `ops replay-dlq` and AWS, and what must hold all the same.

Lost: 0, always. Duplicates: at most the messages whose send was carried out and not answered, or was in flight when the
process was killed (10 for each lane); 0 into a FIFO queue. Where a disk lost a record of sending that it had confirmed
(fsync), the messages in it may arrive twice in a FIFO queue, too.
"""
