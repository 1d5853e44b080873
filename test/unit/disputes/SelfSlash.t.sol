// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {DisputesTest, IDisputes} from "../../utils/DisputesTest.sol";

/// @dev Slashing oneself through a puppet never pays, whatever is behind the operator.
contract SelfSlashTest is DisputesTest {
    /// @notice A miner accused by its own puppet does not answer: what the puppet gains is at most half of what the miner's own stake loses,
    /// however large the votes behind it are and wherever its stake is.
    /// forge-config: default.fuzz.runs = 256
    function testFuzz_puppetChallenger(uint256 more, uint256 votes, uint256 leaving, uint256 fraction) public {
        more = bound(more, 0, 10_000_000e18);
        votes = bound(votes, 0, 100_000_000e18);
        if (more > 0) _delegate(miner, miner, more);
        if (votes > 0) _delegate(miner, alice, votes);
        IDisputes.Parameters memory p = _disputeParameters();
        p.fraction = uint64(bound(fraction, 1, 0.5e18));
        vm.prank(timelock);
        disputes.setParameters(p);
        bytes32 id = _challenge(1);
        uint256 epoch = staking.currentEpoch();
        leaving = bound(leaving, 0, staking.sharesOf(miner, miner));
        if (leaving >= FIRST) _undelegate(miner, miner, leaving);
        uint256 own = staking.assetsOf(miner, miner) + staking.bucketAssetsOf(miner, epoch, miner);

        vm.warp(block.timestamp + ANSWER);
        disputes.resolve(id);
        vm.warp(block.timestamp + VETO);
        disputes.resolve(id);
        _assertPhase(id, IDisputes.Phase.Convicted);
        uint256 lost = own - staking.assetsOf(miner, miner) - staking.bucketAssetsOf(miner, epoch, miner);
        uint256 gained = cai.balanceOf(challenger) - 100_000e18;
        assertLe(2 * gained, lost);
        if (lost != 0) assertLt(gained, lost);
    }

    /// @notice Nor with a whole jury of puppets: fee and bond only go round.
    /// forge-config: default.fuzz.runs = 64
    function testFuzz_puppetJury(uint256 more, uint256 votes) public {
        more = bound(more, 0, 200_000e18);
        votes = bound(votes, 0, 100_000_000e18);
        bytes32 id = _challenge(1);
        if (more > 0) _delegate(miner, miner, more);
        if (votes > 0) _delegate(miner, alice, votes);
        uint256 own = staking.assetsOf(miner, miner);
        _answer(id);
        _callJury(id);
        _convict(id);
        uint256 gained = cai.balanceOf(challenger);
        for (uint256 i; i < JURORS; ++i) {
            gained += disputes.claim(id, 0, i);
        }
        gained -= 100_000e18;
        uint256 lost = own - staking.assetsOf(miner, miner);
        assertLe(2 * gained, lost);
        assertGt(lost, 0);
    }
}
