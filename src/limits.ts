/** Every limit and default, with its unit in its name. Nothing else in the tree is a bare number with a meaning. */

export const KIB = 1024;
export const MIB = 1024 * KIB;

// Names
export const NAME_BYTES = 1024;
export const COMPONENT_BYTES = 255;
/** A sealed component: its tag and itself in base64; and the longest name as it comes out sealed, of 512 components of a byte. */
export const SEALED_COMPONENT_BYTES = Math.ceil((4 * (COMPONENT_BYTES + 16)) / 3);
export const SEALED_NAME_BYTES = 12 * KIB;
export const FOLDERS_REMEMBERED = 4096;
export const USERS_PAGE = 1000;
/** What is sealed of a manifest. */
export const SEALED_FACTS_BYTES = 256;
/** Passwords that open one master key. */
export const WRAPS_MAX = 4;

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
/** How long few servers have to tell all; longer than the way round the world and back. */
export const FEW_PATIENCE_MS = 300;
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
/** For the handshake of TLS, before it. */
export const HANDSHAKE_MS = 5000;
export const FRAME_MS = 30_000;
export const IDLE_MS = 10 * 60_000;
export const REQUESTS_PER_CONNECTION = 256;
export const INFLIGHT_BYTES_PER_CONNECTION = 2 * MIB;
/** All connections together; beyond it each may have one request at a time. */
export const INFLIGHT_BYTES = 16 * MIB;
/** After so many requests of one connection the others have their turn. */
export const REQUESTS_PER_TURN = 32;
export const UPLOADS_PER_CONNECTION = 256;
export const RESERVE_FRACTION = 0.02;
export const RESERVE_BYTES_MIN = 8 * MIB;
export const RESERVE_BYTES_MAX = 256 * MIB;
/** With less than that for pieces a disk is told to be full. */
export const SCARCE_BYTES = 1024 * KIB;
/** Inodes that stay free. */
export const RESERVE_FILES = 16;
/** With so much to spare a look at the free space is good for so long, for small pieces. */
export const SPARE_BYTES = 256 * MIB;
export const SPARE_MS = 100;
export const BALLAST_BYTES = 256 * KIB;
/** Rows of the catalog that are looked at in one turn; how long that may take at the start; and how often it begins anew. */
export const CHECK_ROWS = 500;
export const START_CHECK_MS = 1000;
export const CHECK_INTERVAL_MS = 24 * 3600 * 1000;
export const SYNC_EVERY_BYTES = 32 * MIB;

/** What is written, or was not read back for so long, is read back, so many bytes at a time. */
export const SCRUB_INTERVAL_MS = 14 * 24 * 3600 * 1000;
export const SCRUB_LOT_BYTES = 8 * MIB;
export const SCRUB_PAUSE_MS = 250;
export const SCRUB_IDLE_MS = 5000;
/** What clients ask of a server between two lots that makes it put off the second, so many times in a row. */
export const SCRUB_BUSY_BYTES = 256 * KIB;
export const SCRUB_PUT_OFF_MAX = 20;
export const SCRUB_DUE_MAX = 256;

// Users
export const USER_BYTES = 64;
export const PASSWORD_BYTES = 1024;
export const USERS_FILE_BYTES = 1024 * KIB;
/** argon2id: what a guess at a password costs, as OWASP asks for at least. A change of any of these changes all passwords' verifiers and keys. */
export const STRETCH_KIB = 19 * KIB;
export const STRETCH_PASSES = 2;
export const STRETCH_LANES = 1;
export const STRETCH_SALT_BYTES = 16;
/** Half of it is for the login, half for the wrapping of keys. */
export const STRETCH_BYTES = 64;
/** Few, and always so many: the password was stretched before. */
export const SCRAM_ITERATIONS = 4096;
export const SCRAM_SALT_BYTES = 16;
export const SCRAM_MESSAGE_BYTES = 1024;
export const SCRAM_NONCE_BYTES = 18;
/** How long a change of a file of users waits for another one. */
export const USERS_LOCK_MS = 2000;
export const USERS_LOCK_POLL_MS = 50;

// Failed logins, of a user from a host
export const LOGIN_ATTEMPTS_PER_CONNECTION = 3;
export const LOGIN_FAILURES_FREE = 2;
export const LOGIN_DELAY_FIRST_MS = 100;
export const LOGIN_DELAY_MAX_MS = 5000;
export const LOGIN_FORGET_MS = 10 * 60_000;
export const LOGIN_FAILURES_KEPT = 4096;
/** Failures of one host that wait for their reply at the same time. */
export const LOGIN_WAITING_PER_HOST = 16;

// One connection
/** What is smaller, and written in one turn, goes to the kernel together. */
export const BATCH_BYTES = 32 * KIB;

// One client
export const INBOX_BYTES = 256 * KIB;
export const FILES_IN_FLIGHT = 64;
export const CHUNKS_IN_FLIGHT = 12;
export const NAMES_IN_REPAIR = 16;
export const CHUNKS_PER_PIECE = 4;
/** Chunks of a stripe that count as one in flight. */
export const CHUNKS_PER_PLACE = 4;
/** Of a stored version with parity that is read chunk by chunk; each is a chunk at most. */
export const FETCHES_REMEMBERED = 64;
