use super::*;
use alloy::primitives::{TxKind, U256};

fn transaction(nonce: u64, fee: u128) -> TxEip1559 {
    TxEip1559 {
        chain_id: 31337,
        nonce,
        gas_limit: 50_000,
        max_fee_per_gas: fee,
        max_priority_fee_per_gas: 1,
        to: TxKind::Call(Address::repeat_byte(1)),
        value: U256::ZERO,
        input: vec![1, 2, 3].into(),
        ..Default::default()
    }
}

#[tokio::test]
async fn what_was_stored_is_there_after_a_crash() {
    let directory = tempfile::tempdir().unwrap();
    let (path, key) = (directory.path().join("deep/journal.json"), PrivateKeySigner::random());
    let mut journal = Journal::open(path.clone(), key.address(), 31337).unwrap();
    assert!(journal.in_flight().is_none());
    let first = InFlight::new("fund", transaction(7, 100), &key).unwrap();
    journal.store(first.clone()).await.unwrap();
    let second = first.replaced_by(transaction(7, 200), &key).unwrap();
    journal.store(second.clone()).await.unwrap();
    // A crash in the middle of the next write leaves half a temporary file.
    std::fs::write(path.with_extension("tmp"), b"{ \"label\":").unwrap();
    drop(journal);

    let mut journal = Journal::open(path.clone(), key.address(), 31337).unwrap();
    let found = journal.in_flight().unwrap();
    assert_eq!((found.label.as_str(), found.nonce()), ("fund", 7));
    assert_eq!(found.hashes().collect::<Vec<_>>(), [*second.newest.hash(), *first.newest.hash()]);
    assert_eq!(found.newest.tx(), second.newest.tx());

    let mined = second.newest.encoded_2718();
    journal.remember(7, mined.clone());
    journal.clear().await.unwrap();
    drop(journal);
    let mut journal = Journal::open(path, key.address(), 31337).unwrap();
    assert!(journal.in_flight().is_none());
    assert_eq!(journal.mined().iter().collect::<Vec<_>>(), [(&7, &mined)]);

    // Its nonces begin again: what came after is of a history that is no more.
    journal.remember(5, vec![5]);
    assert_eq!(journal.mined().keys().collect::<Vec<_>>(), [&5]);
}

#[tokio::test]
async fn another_key_chain_or_process_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let (path, key) = (directory.path().join("journal.json"), PrivateKeySigner::random());
    let mut journal = Journal::open(path.clone(), key.address(), 31337).unwrap();
    journal.store(InFlight::new("fund", transaction(0, 1), &key).unwrap()).await.unwrap();
    assert!(matches!(Journal::open(path.clone(), key.address(), 31337), Err(SendError::InUse(_))));
    drop(journal);

    let refusal = |sender, chain_id| match Journal::open(path.clone(), sender, chain_id) {
        Err(SendError::ForeignJournal { detail, .. }) => detail,
        Err(e) => panic!("{e}"),
        Ok(_) => panic!("a foreign journal was taken"),
    };
    assert!(refusal(Address::repeat_byte(9), 31337).contains("of the key"));
    assert!(refusal(key.address(), 1).contains("of chain 31337"));

    for text in
        ["", r#"{"mined":7}"#, r#"{"label":"x","transactions":[]}"#, r#"{"label":"x","transactions":["0x02c0"]}"#]
    {
        std::fs::write(&path, text).unwrap();
        assert!(!refusal(key.address(), 31337).is_empty(), "{text}");
    }
}

#[tokio::test]
async fn transactions_of_two_nonces_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let (path, key) = (directory.path().join("journal.json"), PrivateKeySigner::random());
    let mut journal = Journal::open(path.clone(), key.address(), 31337).unwrap();
    let first = InFlight::new("fund", transaction(0, 1), &key).unwrap();
    journal.store(first.replaced_by(transaction(1, 2), &key).unwrap()).await.unwrap();
    drop(journal);
    assert!(matches!(Journal::open(path, key.address(), 31337), Err(SendError::ForeignJournal { .. })));
}

#[tokio::test]
async fn without_a_disk_nothing_is_in_flight() {
    let directory = tempfile::tempdir().unwrap();
    let (path, key) = (directory.path().join("data/journal.json"), PrivateKeySigner::random());
    let mut journal = Journal::open(path.clone(), key.address(), 31337).unwrap();
    std::fs::remove_dir_all(directory.path().join("data")).unwrap();
    let in_flight = InFlight::new("fund", transaction(0, 1), &key).unwrap();
    assert!(matches!(journal.store(in_flight).await, Err(SendError::Journal { .. })));
    assert!(journal.in_flight().is_none());
}
