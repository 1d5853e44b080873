// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {DisputesTest, IDisputes, IStaking} from "../../utils/DisputesTest.sol";

/// @dev What comes after what, when people come and when they stay away.
contract ResolveTest is DisputesTest {
    function _tryResolve(bytes32 id, IDisputes.Phase phase, uint256 deadline) internal {
        vm.expectRevert(abi.encodeWithSelector(IDisputes.NothingDue.selector, id, phase, deadline));
        disputes.resolve(id);
    }

    // --------------------------------------------------------------------------------------------------------- somebody absent

    function test_noAnswer() public {
        bytes32 id = _challenge(1);
        uint256 deadline = block.timestamp + ANSWER;
        vm.warp(deadline - 1);
        // A part is not all.
        _answerState(id, 0);
        _tryResolve(id, IDisputes.Phase.Answer, deadline);
        vm.warp(deadline);
        vm.expectEmit(address(disputes));
        emit IDisputes.FoundGuilty(id, IDisputes.Fault.NoAnswer, deadline + VETO);
        vm.prank(carol);
        assertEq(uint8(disputes.resolve(id)), uint8(IDisputes.Phase.Veto));
        _tryResolve(id, IDisputes.Phase.Veto, deadline + VETO);
        vm.warp(deadline + VETO);
        disputes.resolve(id);
        _assertPhase(id, IDisputes.Phase.Convicted);
        _assertReleased(id);
        assertEq(cai.balanceOf(address(disputes)), 0, "no jury, nothing stays");
    }

    /// @notice No beacon in time: the round has failed, whatever comes later; after the last it is a draw.
    function test_noBeacon() public {
        bytes32 id = _challenge(1);
        _answer(id);
        for (uint256 round; round < 3; ++round) {
            uint256 deadline = block.timestamp + SEED;
            assertEq(disputes.dispute(id).round, round);
            assertEq(disputes.dispute(id).deadline, deadline);
            _tryResolve(id, IDisputes.Phase.Seed, deadline);
            vm.roll(block.number + 2);
            vm.warp(deadline);
            assertNotEq(disputes.seedOf(id), 0, "known, but too late");
            vm.prank(jurors[7]);
            if (round < 2) {
                vm.expectRevert(abi.encodeWithSelector(IDisputes.WrongPhase.selector, id, IDisputes.Phase.Seed));
                disputes.commit(id, "commitment");
            }
            disputes.resolve(id);
        }
        _assertPhase(id, IDisputes.Phase.Drawn);
        _assertReleased(id);
        assertEq(cai.balanceOf(challenger), 100_000e18);
    }

    function test_noJurors() public {
        bytes32 id = _challenge(1);
        _answer(id);
        for (uint256 round; round < 3; ++round) {
            _callJury(id);
            uint256 deadline = block.timestamp + COMMIT;
            vm.warp(deadline + REVEAL - 1);
            _tryResolve(id, IDisputes.Phase.Jury, deadline);
            vm.warp(deadline + REVEAL);
            disputes.resolve(id);
        }
        _assertPhase(id, IDisputes.Phase.Drawn);
        assertEq(cai.balanceOf(challenger), 100_000e18, "nobody to pay");
        assertEq(cai.balanceOf(address(disputes)), 0);
        _assertReleased(id);
    }

    function test_noReveals() public {
        bytes32 id = _juryOn(1);
        for (uint256 i; i < JURORS; ++i) {
            _commit(id, jurors[i], IDisputes.Verdict.Guilty, PROBE);
        }
        vm.warp(block.timestamp + COMMIT + REVEAL);
        disputes.resolve(id);
        _assertPhase(id, IDisputes.Phase.Seed);
        assertEq(disputes.dispute(id).round, 1);
    }

    /// @notice Nobody comes for a year, in any phase: the first who does ends it, and nothing is frozen.
    function test_nobodyComesForAYear() public {
        bytes32[3] memory ids = [_challenge(0), _challenge(2), _challenge(3)];
        _answer(ids[1]);
        _answer(ids[2]);
        _callJury(ids[2]);
        vm.warp(block.timestamp + 365 days);
        vm.roll(block.number + 1000);
        for (uint256 i; i < 3; ++i) {
            for (uint256 calls; disputes.dispute(ids[i]).phase < IDisputes.Phase.Convicted; ++calls) {
                assertLt(calls, 4);
                disputes.resolve(ids[i]);
                vm.warp(block.timestamp + 1 days);
            }
        }
        _assertPhase(ids[0], IDisputes.Phase.Convicted);
        _assertPhase(ids[1], IDisputes.Phase.Drawn);
        _assertPhase(ids[2], IDisputes.Phase.Drawn);
        assertEq(cai.balanceOf(address(disputes)), 0);
    }

    // --------------------------------------------------------------------------------------------------------------- verdicts

    function test_guilty() public {
        bytes32 id = _juryOn(1);
        _vote(id, IDisputes.Verdict.Guilty);
        vm.expectEmit(address(disputes));
        emit IDisputes.FoundGuilty(id, IDisputes.Fault.Transition, block.timestamp + VETO);
        disputes.resolve(id);
        vm.warp(block.timestamp + VETO);
        disputes.resolve(id);
        _assertPhase(id, IDisputes.Phase.Convicted);
        assertTrue(disputes.convicted(digest));
        (bool jailed, uint256 until) = staking.jailStatus(miner);
        assertTrue(jailed);
        assertEq(until, block.timestamp + JAIL_TERM);
        assertEq(staking.assetsOf(miner, miner), OWN * 9 / 10);
        _assertReleased(id);
        vm.expectRevert(
            abi.encodeWithSelector(IDisputes.NothingDue.selector, id, IDisputes.Phase.Convicted, block.timestamp)
        );
        disputes.resolve(id);
    }

    /// @notice Without a guardian, here an expired one, a conviction needs one call.
    function test_guiltyWithoutAGuardian() public {
        vm.warp(block.timestamp + GUARDIAN_TERM);
        _signReceipt();
        assertEq(staking.guardian(), address(0));
        bytes32 id = _juryOn(1);
        _vote(id, IDisputes.Verdict.Guilty);
        assertEq(uint8(disputes.resolve(id)), uint8(IDisputes.Phase.Convicted));
    }

    function test_innocent() public {
        bytes32 id = _juryOn(1);
        _vote(id, IDisputes.Verdict.Innocent);
        disputes.resolve(id);
        _assertPhase(id, IDisputes.Phase.Acquitted);
        assertFalse(disputes.convicted(digest));
        assertEq(staking.assetsOf(miner, miner), OWN);
        _assertReleased(id);
    }

    /// @notice Half and half: another jury, twice as large, with a seed of its own; in the end a draw.
    function test_split() public {
        bytes32 id = _challenge(1);
        _answer(id);
        uint256 before;
        for (uint256 round; round < 3; ++round) {
            _callJury(id);
            uint256 all;
            for (uint256 i; i < JURORS; ++i) {
                all += disputes.votesOf(id, jurors[i]);
                // By turns, the light with the heavy.
                _commit(
                    id,
                    jurors[i],
                    i % 4 == 0 || i % 4 == 3 ? IDisputes.Verdict.Guilty : IDisputes.Verdict.Innocent,
                    PROBE
                );
            }
            assertGt(all, before);
            before = all;
            vm.warp(block.timestamp + COMMIT);
            for (uint256 i; i < JURORS; ++i) {
                _reveal(
                    id,
                    jurors[i],
                    i % 4 == 0 || i % 4 == 3 ? IDisputes.Verdict.Guilty : IDisputes.Verdict.Innocent,
                    PROBE
                );
            }
            vm.warp(block.timestamp + REVEAL);
            disputes.resolve(id);
            assertEq(disputes.dispute(id).guilty, round == 2 ? disputes.dispute(id).guilty : 0, "counted anew");
        }
        _assertPhase(id, IDisputes.Phase.Drawn);
        assertEq(staking.assetsOf(miner, miner), OWN);
        _assertReleased(id);
    }

    /// @notice Fewer operators than a verdict needs are no jury, however many votes they have.
    function test_tooFewJurors() public {
        // Six votes of the sixteen, and one at least.
        _delegate(jurors[7], alice, 200_000e18);
        _nextEpoch(2);
        _makeReceipt();
        bytes32 id = _juryOn(1);
        _commit(id, jurors[6], IDisputes.Verdict.Guilty, PROBE);
        _commit(id, jurors[7], IDisputes.Verdict.Guilty, PROBE);
        vm.warp(block.timestamp + COMMIT);
        _reveal(id, jurors[6], IDisputes.Verdict.Guilty, PROBE);
        _reveal(id, jurors[7], IDisputes.Verdict.Guilty, PROBE);
        assertGe(disputes.dispute(id).guilty, 5);
        vm.warp(block.timestamp + REVEAL);
        disputes.resolve(id);
        assertEq(disputes.dispute(id).round, 1);
    }

    // ----------------------------------------------------------------------------------------------------- several at a time

    /// @notice Holds are counted: the end of one dispute does not let go of what another holds.
    function test_overlappingDisputesHoldSeparately() public {
        uint256 epoch = staking.currentEpoch();
        _undelegate(miner, miner, staking.sharesOf(miner, miner) / 2);
        bytes32 first = _challenge(1);
        bytes32 second = _challenge(2);
        _answer(first);
        _answer(second);
        _callJury(first);
        disputes.resolve(second);
        _vote(first, IDisputes.Verdict.Innocent);
        disputes.resolve(first);
        _assertPhase(first, IDisputes.Phase.Acquitted);
        vm.warp(staking.maturityOf(epoch) * EPOCH);
        assertEq(staking.heldFraction(miner, epoch), FRACTION, "the second still holds");
        disputes.resolve(second);
        while (disputes.dispute(second).phase < IDisputes.Phase.Convicted) {
            vm.warp(block.timestamp + SEED + COMMIT + REVEAL);
            disputes.resolve(second);
        }
        assertEq(staking.heldFraction(miner, epoch), 0);
    }

    /// @notice The slash ends the hold of its own dispute, and of no other.
    function test_aConvictionReleasesOnlyItsOwnHold() public {
        bytes32 first = _challenge(1);
        bytes32 second = _challenge(2);
        uint256 epoch = disputes.dispute(first).epoch;
        _answer(first);
        _callJury(first);
        _convict(first);
        // What the second holds can be released exactly once.
        vm.prank(address(disputes));
        staking.release(miner, FRACTION, epoch);
        _assertReleased(second);
    }

    /// @notice The first conviction closes the others of the same result: one fault is slashed once.
    function test_aConvictionClosesTheOthers() public {
        bytes32 first = _challenge(1);
        bytes32 second = _challenge(2);
        bytes32 third = _challenge(0);
        _answer(first);
        _callJury(first);
        _convict(first);
        uint256 left = staking.assetsOf(miner, miner);
        uint256 balance = cai.balanceOf(challenger);
        disputes.resolve(second);
        disputes.resolve(third);
        _assertPhase(second, IDisputes.Phase.Drawn);
        _assertPhase(third, IDisputes.Phase.Drawn);
        assertEq(cai.balanceOf(challenger), balance + 2 * (BOND + FEE));
        assertEq(staking.assetsOf(miner, miner), left);
        _assertReleased(first);
    }

    /// @notice Nor is it challenged any more.
    function test_noChallengeAfterAConviction() public {
        result.states = 4;
        _sign();
        bytes32 id = _challenge(0);
        vm.warp(block.timestamp + VETO);
        disputes.resolve(id);
        assertTrue(disputes.convicted(digest));
        _tryChallenge(1, abi.encodeWithSelector(IDisputes.AlreadyConvicted.selector, digest));
    }

    /// @notice Also one that waits out its veto window.
    function test_aConvictionClosesWhatWasFoundGuilty() public {
        bytes32 first = _challenge(0);
        vm.warp(block.timestamp + 1);
        bytes32 second = _challenge(1);
        vm.warp(block.timestamp + ANSWER);
        disputes.resolve(first);
        disputes.resolve(second);
        vm.warp(block.timestamp + VETO);
        disputes.resolve(first);
        uint256 left = staking.assetsOf(miner, miner);
        disputes.resolve(second);
        _assertPhase(second, IDisputes.Phase.Drawn);
        assertEq(staking.assetsOf(miner, miner), left);
    }

    /// @notice Challenge after challenge of an honest result: each costs a bond, all end, and none can be opened after the window.
    function test_rollingChallenges() public {
        uint256 expiry = offer.expiry;
        uint256 before = cai.balanceOf(challenger);
        uint256 opened;
        while (block.timestamp <= expiry + CHALLENGE && opened < 3) {
            bytes32 id = _challenge(opened++);
            _answer(id);
            _callJury(id);
            uint256 from = block.timestamp;
            _vote(id, IDisputes.Verdict.Innocent);
            disputes.resolve(id);
            _assertReleased(id);
            vm.warp(from + 1 hours);
        }
        assertEq(opened, 3);
        vm.warp(expiry + CHALLENGE + 1);
        _tryChallenge(3, abi.encodeWithSelector(IDisputes.ChallengeTooLate.selector, expiry + CHALLENGE));
        // An offer is not prolonged by another one.
        offer.price += 1;
        _tryChallenge(3, abi.encodeWithSelector(IDisputes.OfferMismatch.selector, result.offerHash, _offerHash()));
        assertApproxEqAbs(cai.balanceOf(miner), opened * BOND, opened * 20, "the bonds are the accused's");
        assertEq(before - cai.balanceOf(challenger), opened * (BOND + FEE));
        assertEq(staking.assetsOf(miner, miner), OWN);
    }

    function _offerHash() internal returns (bytes32 hash) {
        bytes32 kept = result.offerHash;
        _sign();
        hash = result.offerHash;
        result.offerHash = kept;
    }

    // ------------------------------------------------------------------------------------------------------ Staking's refusals

    /// @notice Entry is paused while a dispute runs: it goes on.
    function test_pausedMeanwhile() public {
        bytes32 id = _challenge(1);
        vm.prank(guardian);
        staking.pauseEntry(block.timestamp + 14 days);
        _answer(id);
        _callJury(id);
        _convict(id);
        _assertReleased(id);
    }

    /// @notice A slasher that was retired meanwhile finishes what it has.
    function test_retiredMeanwhile() public {
        bytes32 id = _challenge(1);
        vm.prank(timelock);
        staking.retireSlasher(address(disputes));
        _answer(id);
        _callJury(id);
        _convict(id);
        assertEq(staking.assetsOf(miner, miner), OWN * 9 / 10);
        _assertReleased(id);
    }

    /// @notice One that was retired too long ago cannot slash any more; the deposits come back all the same.
    function test_retiredLongAgo() public {
        bytes32 id = _challenge(1);
        vm.prank(timelock);
        staking.retireSlasher(address(disputes));
        vm.warp(block.timestamp + 10 * EPOCH);
        disputes.resolve(id);
        vm.warp(block.timestamp + VETO);
        bytes memory reason = abi.encodeWithSelector(IStaking.Unauthorised.selector, address(disputes));
        vm.expectEmit(address(disputes));
        emit IDisputes.SlashFailed(id, reason);
        disputes.resolve(id);
        _assertPhase(id, IDisputes.Phase.Convicted);
        assertEq(cai.balanceOf(challenger), 100_000e18);
        assertEq(staking.assetsOf(miner, miner), OWN);
        _assertReleased(id);
    }

    /// @notice Not even a Staking that refuses everything freezes the deposits.
    function test_stakingRefusesEverything() public {
        bytes32 guilty = _challenge(0);
        vm.warp(block.timestamp + 1);
        bytes32 drawn = _challenge(1);
        vm.warp(block.timestamp + ANSWER);
        disputes.resolve(guilty);
        vm.warp(block.timestamp + VETO);
        vm.mockCallRevert(address(staking), abi.encodeWithSelector(IStaking.slash.selector), "no slash");
        vm.mockCallRevert(address(staking), abi.encodeWithSelector(IStaking.release.selector), "no release");
        vm.expectEmit(address(disputes));
        emit IDisputes.SlashFailed(guilty, "no slash");
        vm.expectEmit(address(disputes));
        emit IDisputes.ReleaseFailed(guilty, "no release");
        disputes.resolve(guilty);
        vm.expectEmit(address(disputes));
        emit IDisputes.ReleaseFailed(drawn, "no release");
        disputes.resolve(drawn);
        assertEq(cai.balanceOf(challenger), 100_000e18);
    }

    /// @notice The limit of an epoch's slashes is used up: nothing is taken, and the dispute ends.
    function test_slashCutToZero() public {
        bytes32 id = _challenge(1);
        vm.warp(block.timestamp + ANSWER);
        disputes.resolve(id);
        vm.warp(block.timestamp + VETO);
        _slash(miner, 0.5e18);
        _slash(miner, 0.25e18);
        uint256 left = staking.assetsOf(miner, miner);
        vm.expectEmit(address(disputes));
        emit IDisputes.Resolved(
            id, digest, miner, IDisputes.Phase.Convicted, IDisputes.Fault.NoAnswer, 0, BOND + FEE, 0, 0
        );
        disputes.resolve(id);
        assertEq(staking.assetsOf(miner, miner), left);
        assertEq(cai.balanceOf(challenger), 100_000e18);
    }

    /// @notice Whoever gives `resolve` too little gas for the slash gets no verdict without one.
    function testFuzz_littleGas(uint256 gas) public {
        bytes32 id = _challenge(1);
        vm.warp(block.timestamp + ANSWER);
        disputes.resolve(id);
        vm.warp(block.timestamp + VETO);
        gas = bound(gas, 30_000, 1_500_000);
        try disputes.resolve{gas: gas}(id) {
            assertEq(staking.assetsOf(miner, miner), OWN * 9 / 10, "slashed");
            _assertReleased(id);
        } catch {
            _assertPhase(id, IDisputes.Phase.Veto);
        }
    }

    /// @notice Stake that leaves while the dispute runs is still slashed.
    function test_leavingDoesNotHelp() public {
        bytes32 id = _challenge(1);
        _undelegate(miner, miner, staking.sharesOf(miner, miner));
        uint256 epoch = staking.currentEpoch();
        vm.warp(staking.maturityOf(epoch) * EPOCH);
        disputes.resolve(id);
        vm.prank(miner);
        staking.withdraw(miner, epoch, miner);
        assertEq(cai.balanceOf(miner), OWN * 9 / 10, "the tenth is held back");
        vm.warp(block.timestamp + VETO);
        disputes.resolve(id);
        _assertPhase(id, IDisputes.Phase.Convicted);
        assertEq(staking.bucketAssetsOf(miner, epoch, miner), 0);
    }
}
