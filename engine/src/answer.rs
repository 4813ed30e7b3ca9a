//! What is answered.

use serde::Serialize;

/// A request that could not be read or carried out: a fault of the caller or of this program, not of a contract.
#[derive(Serialize)]
pub struct Refused {
    pub refused: String,
}

/// How an entry of the footprint changed.
#[derive(Serialize)]
pub struct Change {
    pub key: String,
    pub read_only: bool,
    /// LedgerEntry after the invocation; None where a read-write entry is gone, and for every read-only one.
    pub entry: Option<String>,
    pub live_until: Option<u32>,
}

#[derive(Serialize, Default)]
pub struct Answer {
    /// SCVal that the function returned; None where it failed.
    pub value: Option<String>,
    /// ScError, and what the host says of it, where it failed.
    pub error: Option<String>,
    pub error_text: String,
    pub events: Vec<String>,
    pub diagnostics: Vec<String>,
    pub auth: Vec<String>,
    /// SorobanResources as they were found out.
    pub resources: String,
    pub changes: Vec<Change>,
    pub instructions: u64,
    pub memory_bytes: u64,
}
