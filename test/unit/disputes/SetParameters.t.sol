// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {DisputesTest, IDisputes, IOwnable} from "../../utils/DisputesTest.sol";

contract SetParametersTest is DisputesTest {
    function _set(IDisputes.Parameters memory p) internal returns (uint256) {
        vm.prank(timelock);
        return disputes.setParameters(p);
    }

    function _trySet(IDisputes.Parameters memory p, bytes memory reason) internal {
        vm.expectRevert(reason);
        vm.prank(timelock);
        disputes.setParameters(p);
    }

    function _invalid(string memory name, uint256 value) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IDisputes.InvalidParameter.selector, name, value);
    }

    function test_versions() public {
        assertEq(disputes.currentVersion(), 0);
        assertEq(abi.encode(disputes.parameters(0)), abi.encode(_disputeParameters()));
        IDisputes.Parameters memory p = _disputeParameters();
        p.bond = 600e18;
        vm.expectEmit(address(disputes));
        emit IDisputes.ParametersSet(1, p);
        assertEq(_set(p), 1);
        assertEq(disputes.currentVersion(), 1);
        assertEq(abi.encode(disputes.parameters(1)), abi.encode(p));
        vm.expectRevert(abi.encodeWithSelector(IDisputes.UnknownVersion.selector, 2));
        disputes.parameters(2);
    }

    function test_ownerOnly() public {
        vm.expectRevert(abi.encodeWithSelector(IOwnable.OwnableUnauthorizedAccount.selector, carol));
        vm.prank(carol);
        disputes.setParameters(_disputeParameters());
        vm.expectRevert(abi.encodeWithSelector(IOwnable.OwnableUnauthorizedAccount.selector, carol));
        vm.prank(carol);
        disputes.setModel(MODEL, true);
    }

    function test_ownershipChangesInTwoSteps() public {
        IOwnable owned = IOwnable(address(disputes));
        assertEq(owned.owner(), timelock);
        vm.prank(timelock);
        owned.transferOwnership(carol);
        assertEq(owned.owner(), timelock);
        vm.prank(carol);
        owned.acceptOwnership();
        assertEq(owned.owner(), carol);
    }

    function test_models() public {
        assertTrue(disputes.isListed(MODEL));
        vm.expectEmit(address(disputes));
        emit IDisputes.ModelSet(MODEL, false);
        vm.prank(timelock);
        disputes.setModel(MODEL, false);
        assertFalse(disputes.isListed(MODEL));
    }

    /// @notice Unlisting a model does not save who is accused already.
    function test_unlistingTouchesNoOpenDispute() public {
        bytes32 id = _challenge(1);
        vm.prank(timelock);
        disputes.setModel(MODEL, false);
        _answer(id);
        _callJury(id);
        _convict(id);
    }

    /// @notice Parameters are frozen when a dispute opens: in every phase the old ones hold.
    function test_parametersChangedUnderAnOpenDispute() public {
        bytes32 id = _challenge(1);
        bytes32 silent = _challenge(0);
        uint256 opened = block.timestamp;
        IDisputes.Parameters memory p = IDisputes.Parameters({
            bond: 1e18,
            juryFee: 1e18,
            fraction: 0.5e18,
            jailTerm: 365 days,
            maxOfferLife: 1,
            challengeWindow: 1,
            answerWindow: 1,
            seedWindow: 1,
            commitWindow: 1,
            revealWindow: 1,
            vetoWindow: 1,
            minJurors: 16,
            rounds: 1
        });
        assertEq(_set(p), 1);
        vm.warp(opened + ANSWER - 1);
        _answerState(id, 1);
        _answerState(id, 0);
        // The other shares s_0 by now.
        disputes.resolve(silent);
        assertEq(disputes.dispute(id).deadline, block.timestamp + SEED);
        vm.warp(block.timestamp + SEED - 10);
        _callJury(id);
        assertEq(disputes.dispute(id).deadline, block.timestamp + COMMIT);
        _vote(id, IDisputes.Verdict.Guilty, REVEAL - 1);
        disputes.resolve(id);
        assertEq(disputes.dispute(id).deadline, block.timestamp + VETO, "three jurors suffice");
        vm.warp(block.timestamp + VETO);
        disputes.resolve(id);
        _assertPhase(id, IDisputes.Phase.Convicted);
        assertEq(staking.assetsOf(miner, miner), OWN * 9 / 10);
        (, uint256 until) = staking.jailStatus(miner);
        assertEq(until, block.timestamp + JAIL_TERM);
        // The jurors have the first's fee, the second's deposits are still here.
        assertApproxEqAbs(cai.balanceOf(challenger), 100_000e18 - FEE + OWN / 20 - BOND - FEE, 1000);
        disputes.resolve(silent);
        _assertReleased(silent);
        assertApproxEqAbs(cai.balanceOf(challenger), 100_000e18 - FEE + OWN / 20, 1000);
    }

    /// @notice From offer to end everything fits into the time that stake takes to leave.
    function test_mustFit() public {
        IDisputes.Parameters memory p = _disputeParameters();
        uint256 rounds = 3 * (SEED + COMMIT + REVEAL);
        uint256 total = OFFER_LIFE + CHALLENGE + ANSWER + rounds + VETO;
        assertLe(total, 2 * EPOCH);
        p.vetoWindow = uint32(VETO + 2 * EPOCH - total);
        _set(p);
        p.vetoWindow += 1;
        _trySet(p, abi.encodeWithSelector(IDisputes.ParametersDoNotFit.selector, 2 * EPOCH + 1, 2 * EPOCH));
        p = _disputeParameters();
        p.commitWindow = uint32(2 * EPOCH / 3);
        _trySet(
            p, abi.encodeWithSelector(IDisputes.ParametersDoNotFit.selector, total + 2 * EPOCH - 3 * COMMIT, 2 * EPOCH)
        );
        p = _disputeParameters();
        p.answerWindow = type(uint32).max;
        _trySet(
            p,
            abi.encodeWithSelector(IDisputes.ParametersDoNotFit.selector, total - ANSWER + type(uint32).max, 2 * EPOCH)
        );
        vm.expectPartialRevert(IDisputes.ParametersDoNotFit.selector);
        this.deploy("Disputes", abi.encode(cai, staking, registry, randomness, timelock, p));
    }

    function test_bounds() public {
        IDisputes.Parameters memory p = _disputeParameters();
        p.bond = 1e18 - 1;
        _trySet(p, _invalid("bond", p.bond));
        p.bond = 100_000e18 + 1;
        _trySet(p, _invalid("bond", p.bond));
        p = _disputeParameters();
        p.juryFee = 1e18 - 1;
        _trySet(p, _invalid("juryFee", p.juryFee));
        p.juryFee = 100_000e18 + 1;
        _trySet(p, _invalid("juryFee", p.juryFee));
        p = _disputeParameters();
        p.fraction = 0;
        _trySet(p, _invalid("fraction", 0));
        p.fraction = 0.5e18 + 1;
        _trySet(p, _invalid("fraction", p.fraction));
        p = _disputeParameters();
        p.jailTerm = 365 days + 1;
        _trySet(p, _invalid("jailTerm", p.jailTerm));
        p = _disputeParameters();
        p.maxOfferLife = 0;
        _trySet(p, _invalid("maxOfferLife", 0));
        p.maxOfferLife = uint32(GRACE + 1);
        _trySet(p, _invalid("maxOfferLife", p.maxOfferLife));
        p = _disputeParameters();
        p.minJurors = 0;
        _trySet(p, _invalid("minJurors", 0));
        p.minJurors = 17;
        _trySet(p, _invalid("minJurors", 17));
        p = _disputeParameters();
        p.rounds = 0;
        _trySet(p, _invalid("rounds", 0));
        p.rounds = 4;
        _trySet(p, _invalid("rounds", 4));
    }

    function test_noEmptyWindows() public {
        for (uint256 i; i < 5; ++i) {
            IDisputes.Parameters memory p = _disputeParameters();
            if (i == 0) p.challengeWindow = 0;
            if (i == 1) p.answerWindow = 0;
            if (i == 2) p.seedWindow = 0;
            if (i == 3) p.commitWindow = 0;
            if (i == 4) p.revealWindow = 0;
            _trySet(p, _invalid("window", 0));
        }
        // But the veto's may be.
        IDisputes.Parameters memory q = _disputeParameters();
        q.vetoWindow = 0;
        _set(q);
        result.states = 4;
        _sign();
        bytes32 id = _challenge(0);
        disputes.resolve(id);
        _assertPhase(id, IDisputes.Phase.Convicted);
    }

    function test_constructor() public {
        IDisputes.Parameters memory p = _disputeParameters();
        bytes4 zero = IDisputes.ZeroAddress.selector;
        vm.expectRevert(zero);
        this.deploy("Disputes", abi.encode(address(0), staking, registry, randomness, timelock, p));
        vm.expectRevert(zero);
        this.deploy("Disputes", abi.encode(cai, address(0), registry, randomness, timelock, p));
        vm.expectRevert(zero);
        this.deploy("Disputes", abi.encode(cai, staking, address(0), randomness, timelock, p));
        vm.expectRevert(zero);
        this.deploy("Disputes", abi.encode(cai, staking, registry, address(0), timelock, p));
        vm.expectRevert(abi.encodeWithSelector(IOwnable.OwnableInvalidOwner.selector, address(0)));
        this.deploy("Disputes", abi.encode(cai, staking, registry, randomness, address(0), p));
        assertEq(disputes.randomness(), address(randomness));
    }
}
