/** Every limit and default, with its unit in its name. Nothing else in the tree is a bare number with a meaning. */

export const KIB = 1024;
export const MIB = 1024 * KIB;

// Names
export const NAME_BYTES = 1024;
export const COMPONENT_BYTES = 255;

// Pieces
export const BLOCK_BYTES = 64 * KIB;
export const CHUNK_BYTES = 256 * KIB;
export const INLINE_BYTES = 16 * KIB;
export const PIECES_MAX = 64;
/** K and M of the layouts rs:K+M. */
export const DATA_PIECES_MAX = 16;
export const PARITY_PIECES_MAX = 8;
/** Servers that hold each piece of the layout "pairs". */
export const COPIES = 2;
export const SERVERS_MAX = 30;
/** Servers that a cluster has ever had. */
export const SLOTS_MAX = 120;
export const HOST_BYTES = 64;
/** What a server reads back for one VERIFY. */
export const VERIFY_BYTES = 4 * MIB;
export const FILE_BYTES_MAX = 2 ** 46;

// Frames
export const FRAME_BYTES = CHUNK_BYTES + 64 * KIB;
export const HELLO_FRAME_BYTES = 4 * KIB;
export const ERROR_TEXT_BYTES = 1024;
export const MANIFEST_BYTES = 16 * KIB;
export const HISTORY_LENGTH = 16;
export const LIST_PAGE = 1000;
export const LIST_PAGE_BYTES = 192 * KIB;
export const VIDS_PER_NAME_MAX = 256;

// Time
export const FIRST_REPLY_MS = 1000;
export const PROGRESS_MS = 10_000;
export const STRAGGLER_MS = 1000;
/** How long status waits for a server; it must not take longer than a second. */
export const STATUS_REPLY_MS = 600;
export const STATUS_WATCH_MS = 2000;
export const READ_PATIENCE_MS = 100;
export const HEDGE_MS = 1000;
export const DOUBT_PAUSE_MS = 20;
export const DOUBT_TRIES = 2;
export const BACKOFF_FIRST_MS = 10;
export const BACKOFF_MAX_MS = 1000;
export const WATCH_MS = 50;
export const PROPOSE_MS = 60_000;
export const STOP_GRACE_MS = 800;
export const REPAIR_INTERVAL_SECONDS = 3600;
export const REPAIR_JITTER = 0.3;
export const ORPHAN_AGE_SECONDS = 24 * 3600;
export const TRASH_GRACE_MS = 60_000;
/** The trash is looked through so often in its grace, but not more often nor less often than these. */
export const SWEEPS_PER_GRACE = 10;
export const TRASH_SWEEP_MIN_MS = 1000;
export const TRASH_SWEEP_MS = 60_000;

// One server
export const CONNECTIONS_MAX = 4096;
export const HELLO_MS = 5000;
export const FRAME_MS = 30_000;
export const IDLE_MS = 10 * 60_000;
export const REQUESTS_PER_CONNECTION = 256;
export const INFLIGHT_BYTES_PER_CONNECTION = 2 * MIB;
/** All connections together; beyond it each may have one request at a time. */
export const INFLIGHT_BYTES = 64 * MIB;
/** After so many requests of one connection the others have their turn. */
export const REQUESTS_PER_TURN = 32;
export const UPLOADS_PER_CONNECTION = 256;
export const RESERVE_FRACTION = 0.02;
export const RESERVE_BYTES_MIN = 8 * MIB;
export const RESERVE_BYTES_MAX = 256 * MIB;
export const BALLAST_BYTES = 256 * KIB;
export const SYNC_EVERY_BYTES = 32 * MIB;

/** What is written, or was not read back for so long, is read back, so many bytes at a time. */
export const SCRUB_INTERVAL_MS = 14 * 24 * 3600 * 1000;
export const SCRUB_LOT_BYTES = 8 * MIB;
export const SCRUB_PAUSE_MS = 250;
export const SCRUB_IDLE_MS = 5000;
export const SCRUB_DUE_MAX = 256;

// One client
export const INBOX_BYTES = 512 * KIB;
export const FILES_IN_FLIGHT = 16;
export const CHUNKS_IN_FLIGHT = 12;
export const NAMES_IN_REPAIR = 16;
export const CHUNKS_PER_PIECE = 4;
/** Chunks of a stripe that count as one in flight. */
export const CHUNKS_PER_PLACE = 4;
/** Of a stored version with parity that is read chunk by chunk; each is a chunk at most. */
export const FETCHES_REMEMBERED = 64;
