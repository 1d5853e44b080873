//! A miner that does half of the work: an audit finds it, the coordinator challenges, the other miners judge, the contracts slash.

use alloy::{
    eips::BlockId,
    primitives::{Address, U256},
    providers::Provider,
};
use anyhow::{Context, Result, bail, ensure};
use cuckoo_devnet::{
    account,
    adversary::{Adversary, Cheat},
    agent::short,
    app::{ChallengeView, Picture, prompt},
    network::Network,
    operator::{Operator, cai},
    until,
    verdict::{self, Verdict},
    wallet::Wallet,
};
use cuckoo_protocol::{
    amount::brief_cai,
    contracts::{
        IDisputes::{Fault, Phase, Verdict as Vote},
        IStaking,
    },
};
use std::time::Duration;

/// What the app asks for meanwhile.
const PROMPT: &str = "a blue fish";

/// CAI that the cheat stakes of its own: about half of all draws are its.
const OWN: u64 = 100_000;

/// CAI that a staker votes for it with, and should not have.
const VOTES: u64 = 50_000;

/// Tasks after which the cheat must have been drawn: fewer are not in a billion demonstrations.
const TRIES: usize = 40;

/// From the audit to the slash, with time to spare: the development chain's windows are seconds.
const PATIENCE: Duration = Duration::from_secs(120);

/// What came of it.
pub struct Downfall {
    /// The fake that an app was given before the audit.
    pub picture: Picture,
    /// What the coordinator found.
    pub challenge: ChallengeView,
    /// How it ended.
    pub verdict: Verdict,
    /// CAI wei that the cheat lost.
    pub own_loss: U256,
    /// CAI wei that its voter lost.
    pub voter_loss: U256,
}

impl Downfall {
    /// Who judged, who lost, who was paid, and what was burned.
    pub fn tell(&self, network: &Network) {
        let Self { challenge, verdict, .. } = self;
        eprintln!("   audit   {}: challenged at transition {}", challenge.reason, challenge.transition);
        for juror in &verdict.jurors {
            let miner = network.crew.miners.iter().find(|miner| miner.address() == juror.operator);
            let name = miner.map_or_else(|| short(juror.operator), |miner| miner.name.clone());
            let pay = brief_cai(juror.paid.unwrap_or_default());
            eprintln!(
                "   jury    {name} ran that step again: {:?} with {} votes, paid {pay} CAI",
                juror.vote, juror.votes
            );
        }
        let (own, voter) = (brief_cai(self.own_loss), brief_cai(self.voter_loss));
        eprintln!("   lost    {own} CAI by the cheat, which is in jail; {voter} CAI by the staker who voted for it");
        let (paid, bond) = (verdict.paid_out, verdict.to_challenger.saturating_sub(verdict.paid_out));
        eprintln!(
            "   paid    {} CAI of it to the coordinator, beside its bond of {} CAI",
            brief_cai(paid),
            brief_cai(bond)
        );
        eprintln!("   burned  {} CAI; for the fake itself nothing was paid", brief_cai(verdict.burned));
    }
}

/// Lets a miner cheat until it is slashed.
///
/// # Errors
/// If it gets away with it.
pub async fn slashed(network: &Network) -> Result<Downfall> {
    let site = &network.site;
    let model_id = network.app.model_id(&site.plan.model).await?;
    site.treasury.list_model(model_id).await?;
    let forward = seat_jurors(network).await?;
    eprintln!("   the chain's clock is put forward by {forward} s: stake counts on juries only an epoch after it came");
    let (cheat, voter) = newcomer(network).await?;
    eprintln!("   cheat       operator {}  stake {OWN} CAI of its own and {VOTES} of a voter", short(cheat.address()));

    let url = network.coordinator_url();
    let (model, library) = (site.toolchain.model(&site.plan.model)?, &site.toolchain.onnxruntime);
    let mut adversary = Adversary::new(&cheat, &url, site.domain(), &model, library, Cheat::FewerSteps, true)?;
    adversary.login().await?;
    // It stands by its fake: what it opens is what it committed to.
    adversary.defend(site).await?;
    let (_, picture) = tokio::try_join!(adversary.deliver(), fooled(network, cheat.address()))?;

    let challenge = until("the coordinator to challenge the fake", PATIENCE, async || {
        let challenges = network.app.challenges().await?;
        Ok(challenges.into_iter().find(|challenge| challenge.miner == cheat.address() && challenge.dispute.is_some()))
    })
    .await?;
    let id = challenge.dispute.context("a challenge without a dispute")?;
    let ledger = site.ledger();
    let stakes =
        async || anyhow::Ok((ledger.own_stake(cheat.address()).await?, ledger.stake_of(cheat.address(), voter).await?));
    let before = stakes().await?;
    let verdict = until("the jury's verdict", PATIENCE, async || {
        let verdict = verdict::read(site, id).await?;
        Ok(verdict.filter(|verdict| verdict.jurors.iter().all(|juror| juror.paid.is_some())))
    })
    .await?;
    ensure!(verdict.outcome == Phase::Convicted && verdict.fault == Fault::Transition, "{verdict:?}");
    ensure!(verdict.jurors.iter().all(|juror| juror.vote == Vote::Guilty), "{verdict:?}");
    let after = stakes().await?;
    let lost = |before: U256, after: U256| before.checked_sub(after).context("a cheat gained");
    let (own_loss, voter_loss) = (lost(before.0, after.0)?, lost(before.1, after.1)?);
    ensure!(
        own_loss > verdict.slashed / U256::from(2) && !voter_loss.is_zero(),
        "{own_loss} and {voter_loss}: {verdict:?}"
    );
    ensure!(verdict.burned == verdict.slashed - verdict.paid_out, "{verdict:?}");
    let collected = ledger.collected(network.crew.coordinator.address(), cheat.address()).await?;
    ensure!(collected.amount.is_zero(), "the fake was paid");
    Ok(Downfall { picture, challenge, verdict, own_loss, voter_loss })
}

/// Puts the chain's clock forward until the stake of all miners counts on juries. Returns by how many seconds.
async fn seat_jurors(network: &Network) -> Result<u64> {
    let provider = network.site.anvil.provider();
    let staking = IStaking::new(network.site.deployment.contracts.staking, &provider);
    let length: u64 = staking.epochLength().call().await?.saturating_to();
    let mut forward = 0;
    loop {
        let before = staking.currentEpoch().call().await?.saturating_sub(U256::ONE);
        let mut seated = true;
        for miner in &network.crew.miners {
            seated &= !staking.weightAt(miner.address(), before).call().await?.is_zero();
        }
        if seated {
            return Ok(forward);
        }
        ensure!(forward < 4 * length, "the miners' stake does not count after {forward} s");
        let now = provider.get_block(BlockId::latest()).await?.context("no block")?.header.timestamp;
        let seconds = length - now % length;
        network.site.anvil.leap(Duration::from_secs(seconds)).await?;
        forward += seconds;
    }
}

/// A registered miner with a voter behind it.
async fn newcomer(network: &Network) -> Result<(Operator, Address)> {
    let (site, own, votes) = (&network.site, cai(OWN)?, cai(VOTES)?);
    let operator = site.newcomer("cheat", account::FIRST_SPARE + 2).await?;
    let voter = Wallet::new(account::signer(account::STAKER)?, &site.anvil.rpc_url, &site.deployment);
    site.treasury.grant(&[(operator.address(), own), (voter.address, votes)]).await?;
    operator.stake(own).await?;
    operator.register(&site.miner_program(), &site.chain(), None).await?;
    voter.stake(operator.address(), votes).await?;
    Ok((operator, voter.address))
}

/// Asks for pictures until one is the cheat's, and is shown.
async fn fooled(network: &Network, cheat: Address) -> Result<Picture> {
    for _ in 0..TRIES {
        let picture = network.app.generate(&prompt(&network.site.plan.model, PROMPT)).await?;
        if picture.receipt.offer.message.miner == cheat {
            return Ok(picture);
        }
    }
    bail!("none of {TRIES} tasks was given to the cheat")
}
