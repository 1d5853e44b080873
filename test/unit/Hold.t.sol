// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {BaseTest, IStaking} from "../utils/BaseTest.sol";

contract HoldTest is BaseTest {
    address internal _other = makeAddr("another slasher");

    function setUp() public override {
        super.setUp();
        _delegate(miner, alice, 1000e18);
    }

    function test_holdsBackWhatMaturesLater() public {
        uint256 epoch = staking.currentEpoch();
        _undelegate(miner, alice, 100e18 * FIRST);
        vm.expectEmit(address(staking));
        emit IStaking.Held(miner, slasher, epoch, 0.1e18, 0.1e18);
        assertEq(_hold(miner, 0.1e18), epoch);
        vm.expectEmit(address(staking));
        emit IStaking.Held(miner, slasher, epoch, 0.2e18, 0.3e18);
        _hold(miner, 0.2e18);
        assertEq(staking.heldFraction(miner, epoch), 0, "nothing to withdraw yet");
        _nextEpoch(3);
        assertEq(staking.heldFraction(miner, epoch), 0.3e18);
        assertEq(staking.heldFraction(coordinator, epoch), 0, "an operator's own");
    }

    function test_addsUpOverTheEpochsBeforeMaturity() public {
        uint256 epoch = staking.currentEpoch();
        // In the bucket's own epoch, in the one before it, in the two in which it matures, in that of its maturity.
        uint256[5] memory fractions = [uint256(0.01e18), 0.02e18, 0.03e18, 0.05e18, 0.07e18];
        for (uint256 i; i < 5; ++i) {
            _hold(miner, fractions[i]);
            if (i < 4) _nextEpoch(1);
        }
        uint256 current = epoch + 4;
        assertEq(staking.heldFraction(miner, epoch), 0.01e18 + 0.02e18 + 0.03e18);
        assertEq(staking.heldFraction(miner, epoch + 1), 0.01e18 + 0.02e18 + 0.03e18 + 0.05e18);
        assertEq(staking.heldFraction(miner, current - 2), 0, "not matured");
        // The first is over an epoch later.
        _nextEpoch(1);
        assertEq(staking.heldFraction(miner, epoch), 0.02e18 + 0.03e18);
        assertEq(staking.heldFraction(miner, epoch + 2), 0.02e18 + 0.03e18 + 0.05e18 + 0.07e18);
    }

    function test_isAtMostAnEpochsLimit() public {
        uint256 epoch = staking.currentEpoch();
        _hold(miner, 0.5e18);
        _hold(miner, 0.25e18);
        _nextEpoch(3);
        assertEq(staking.heldFraction(miner, epoch), 0.75e18);
        vm.warp(epoch * EPOCH);
        _hold(miner, 1);
        _nextEpoch(3);
        assertEq(staking.heldFraction(miner, epoch), 0.75e18);
        _release(miner, 0.5e18, epoch);
        assertEq(staking.heldFraction(miner, epoch), 0.25e18 + 1);
    }

    function test_endsByItself() public {
        uint256 epoch = staking.currentEpoch();
        _undelegate(miner, alice, 100e18 * FIRST);
        _nextEpoch(2);
        // In the last second before the bucket matures.
        vm.warp((epoch + 3) * EPOCH - 1);
        _hold(miner, 0.5e18);
        vm.warp((epoch + 7) * EPOCH - 1);
        assertEq(staking.heldFraction(miner, epoch), 0.5e18);
        vm.warp((epoch + 7) * EPOCH);
        assertEq(staking.heldFraction(miner, epoch), 0);
        assertEq(staking.withdraw(miner, epoch, alice), 100e18);
    }

    function test_leavesWhatHasMaturedAlone() public {
        uint256 epoch = staking.currentEpoch();
        _undelegate(miner, alice, 100e18 * FIRST);
        _nextEpoch(3);
        _hold(miner, 0.5e18);
        assertEq(staking.heldFraction(miner, epoch), 0);
        assertEq(staking.withdraw(miner, epoch, alice), 100e18);
    }

    function test_stopsNobodyFromLeaving() public {
        _hold(miner, 0.5e18);
        _hold(miner, 0.5e18);
        uint256 epoch = staking.currentEpoch();
        assertEq(_undelegate(miner, alice, 1000e18 * FIRST), 1000e18);
        assertEq(_cancel(miner, alice, epoch), 1000e18 * FIRST);
    }

    function test_slashersHoldBesideEachOther() public {
        vm.prank(timelock);
        staking.proposeSlasher(_other);
        _nextEpoch(4);
        uint256 epoch = _hold(miner, 0.1e18);
        vm.expectEmit(address(staking));
        emit IStaking.Held(miner, _other, epoch, 0.2e18, 0.3e18);
        vm.prank(_other);
        staking.hold(miner, 0.2e18);
        _nextEpoch(3);
        assertEq(staking.heldFraction(miner, epoch), 0.3e18);
        // Neither ends the other's.
        vm.prank(_other);
        vm.expectRevert(abi.encodeWithSelector(IStaking.NotHeld.selector, miner, epoch, 0.2e18, 0.2e18 + 1));
        staking.release(miner, 0.2e18 + 1, epoch);
        _release(miner, 0.1e18, epoch);
        assertEq(staking.heldFraction(miner, epoch), 0.2e18);
    }

    function test_inTheFirstEpochsOfAChain() public {
        vm.warp(1);
        address[] memory slashers = new address[](1);
        slashers[0] = slasher;
        staking = IStaking(_deployStaking(address(registry), address(payments), _parameters(), slashers));
        _delegate(miner, alice, 100e18);
        _undelegate(miner, alice, 100e18 * FIRST);
        assertEq(_hold(miner, 0.1e18), 0);
        vm.warp(3 * EPOCH);
        assertEq(staking.heldFraction(miner, 0), 0.1e18);
        vm.warp(5 * EPOCH);
        assertEq(staking.heldFraction(miner, 0), 0);
    }

    function test_revertsForOthers() public {
        address[4] memory others = [alice, timelock, guardian, address(payments)];
        for (uint256 i; i < 4; ++i) {
            vm.prank(others[i]);
            vm.expectRevert(abi.encodeWithSelector(IStaking.Unauthorised.selector, others[i]));
            staking.hold(miner, 0.1e18);
        }
    }

    function test_revertsOutsideTheLimitOfOneIncident() public {
        vm.startPrank(slasher);
        vm.expectRevert(abi.encodeWithSelector(IStaking.FractionOutOfRange.selector, 0, 0.5e18));
        staking.hold(miner, 0);
        vm.expectRevert(abi.encodeWithSelector(IStaking.FractionOutOfRange.selector, 0.5e18 + 1, 0.5e18));
        staking.hold(miner, 0.5e18 + 1);
    }
}
