//! The process that asked: it holds the ledger.

use std::io::{self, Write};
use std::rc::Rc;

use serde::{Deserialize, Serialize};
use soroban_env_host::storage::{EntryWithLiveUntil, SnapshotSource};
use soroban_env_host::xdr::{LedgerKey, Limits, ReadXdr, ScErrorCode, ScErrorType, WriteXdr};
use soroban_env_host::HostError;

#[derive(Serialize)]
struct Get {
    get: String,
}

#[derive(Deserialize)]
struct Entry {
    entry: Option<String>,
    live_until: Option<u32>,
}

#[derive(Default)]
pub struct Caller;

impl Caller {
    /// The next line, None when the caller has gone.
    pub fn line(&self) -> Option<String> {
        let mut line = String::new();
        match io::stdin().read_line(&mut line) {
            Ok(length) if length > 0 => Some(line),
            _ => None,
        }
    }

    /// Send one line. A caller that is gone needs no answer: this process ends.
    pub fn send(&self, value: &impl Serialize) {
        let text = serde_json::to_string(value).expect("an answer is made of texts and numbers");
        let mut output = io::stdout().lock();
        if writeln!(output, "{text}").and_then(|()| output.flush()).is_err() {
            std::process::exit(1);
        }
    }

    /// The entry under a key, and the last ledger it lives in.
    pub fn entry(&self, key: &LedgerKey) -> Result<Option<EntryWithLiveUntil>, String> {
        self.send(&Get { get: key.to_xdr_base64(Limits::none()).map_err(|error| error.to_string())? });
        let line = self.line().ok_or("the caller has gone")?;
        let answer: Entry = serde_json::from_str(&line).map_err(|error| error.to_string())?;
        match answer.entry {
            None => Ok(None),
            Some(entry) => {
                let entry = ReadXdr::from_xdr_base64(entry, Limits::none()).map_err(|error| error.to_string())?;
                Ok(Some((Rc::new(entry), answer.live_until)))
            }
        }
    }
}

impl SnapshotSource for Caller {
    fn get(&self, key: &Rc<LedgerKey>) -> Result<Option<EntryWithLiveUntil>, HostError> {
        self.entry(key).map_err(|_| (ScErrorType::Storage, ScErrorCode::InternalError).into())
    }
}
