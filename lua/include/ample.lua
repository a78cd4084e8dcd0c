-- ample: lets a script run at maxmemory, where Redis refuses a script that takes
-- memory, unless it has written before what takes none: it is not broken off
-- halfway then. So the first write of those that keep what runs, or give it
-- back, is one that does nothing.
-- RETURN: it runs where it is included, and gives nothing.
redis.pcall('HDEL', ns .. 'host:' .. host, '')
