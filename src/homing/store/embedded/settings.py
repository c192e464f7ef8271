"""The embedded PostgreSQL's settings, each with its reason.

They go on the server's command line, so they override postgresql.conf and ALTER SYSTEM; an installation
changes them through Homing's own configuration. Other settings have PostgreSQL's defaults.
"""

from collections.abc import Mapping
from pathlib import Path

SETTINGS: Mapping[str, str] = {
    # Access: processes of this machine, through a socket in a folder that only the server's user may
    # enter.
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    # Durability. These are PostgreSQL's defaults, written down because "accepted" rests on them.
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    # Write-ahead log. Checkpoints far apart write each page in full less often, which is most of the log's
    # volume; the price is up to 4 GB of disk and a recovery of seconds, not moments, after a power cut. Full
    # pages compress well; "on" is pglz, the one method that every build has (the wheel's has no lz4).
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "on",
    # Memory: enough for the queue's working set on a small machine, the operating system's cache does the
    # rest. It is mapped on first touch, so an idle installation does not pay for it.
    "shared_buffers": "256MB",
    "huge_pages": "try",
    # Parallel workers and statistics take dynamic shared memory from /dev/shm, which containers often limit
    # to 64 MB. This much is set aside in the main segment and used first, and queries below run without
    # workers.
    "min_dynamic_shared_memory": "16MB",
    # Planning: statements are short and many. Compiling or parallelising them costs more than running them,
    # and storage without moving heads reads at random nearly as fast as in order.
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "max_worker_processes": "8",
    "max_logical_replication_workers": "0",  # nobody subscribes, so no process waits for it
    "random_page_cost": "1.1",
    # Queue tables turn over entirely within seconds: look every 10 s instead of every minute, and clean ten
    # times as fast before pausing, or claims wade through dead rows.
    "autovacuum_naptime": "10s",
    "autovacuum_vacuum_cost_limit": "2000",
    # Time and log. The keeper writes what the server says to a file that it keeps within bounds.
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
    "log_destination": "stderr",
    "logging_collector": "off",
    # A line for an error, without the values it is about: of a row that is there already these can be a
    # person's number.
    "log_error_verbosity": "terse",
}

THROW_AWAY: Mapping[str, str] = {
    # For databases that need not survive a crash of the machine, such as a test's: nothing waits for the
    # disk.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
}


def server_command(postgres: Path, cluster: Path, sockets: Path, settings: Mapping[str, str]) -> list[str]:
    """The command line that serves `cluster` with a socket in the folder `sockets`; `settings` go over
    SETTINGS."""
    chosen = {**SETTINGS, **settings, "unix_socket_directories": str(sockets)}
    options = [word for name, value in chosen.items() for word in ("-c", f"{name}={value}")]
    return [str(postgres), "-D", str(cluster), *options]
