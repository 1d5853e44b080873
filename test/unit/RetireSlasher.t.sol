// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {BaseTest, IStaking} from "../utils/BaseTest.sol";

contract RetireSlasherTest is BaseTest {
    function _retire(address account) internal {
        vm.prank(timelock);
        staking.retireSlasher(account);
    }

    function test_takesTheRightToOpenAtOnce() public {
        vm.expectEmit(address(staking));
        emit IStaking.SlasherRetired(slasher);
        _retire(slasher);
        assertFalse(staking.isSlasher(slasher));
        vm.prank(slasher);
        vm.expectRevert(abi.encodeWithSelector(IStaking.Unauthorised.selector, slasher));
        staking.hold(miner, 0.1e18);
    }

    /// What it held it may finish, to the last second in which a hold can live.
    function test_finishesWhatItHas() public {
        _delegate(miner, alice, 100e18);
        _undelegate(miner, alice, 50e18 * FIRST);
        vm.warp(block.timestamp + EPOCH - 1);
        uint256 epoch = _hold(miner, 0.1e18);
        assertEq(_hold(miner, 0.2e18), epoch);
        _retire(slasher);
        vm.warp((epoch + 5) * EPOCH - 1);
        _release(miner, 0.2e18, epoch);
        vm.prank(slasher);
        (uint256 slashed,) = staking.slash(miner, 0.1e18, epoch, 0, address(0), 0);
        assertEq(slashed, 10e18, "the pool, and the bucket that has matured since");
    }

    function test_hasNoRightsOnceItsTimeIsOver() public {
        uint256 epoch = _hold(miner, 0.1e18);
        _retire(slasher);
        vm.warp(block.timestamp + 5 * EPOCH - 1);
        _release(miner, 0.05e18, epoch);
        vm.warp(block.timestamp + 1);
        vm.startPrank(slasher);
        vm.expectRevert(abi.encodeWithSelector(IStaking.Unauthorised.selector, slasher));
        staking.slash(miner, 0.05e18, epoch, 0, address(0), 0);
    }

    function test_revertsOnWhoIsNone() public {
        vm.startPrank(timelock);
        vm.expectRevert(abi.encodeWithSelector(IStaking.SlasherUnknown.selector, alice));
        staking.retireSlasher(alice);
        staking.retireSlasher(slasher);
        // Twice would give it more time.
        vm.expectRevert(abi.encodeWithSelector(IStaking.SlasherUnknown.selector, slasher));
        staking.retireSlasher(slasher);
    }

    function test_revertsForOthers() public {
        address[3] memory others = [guardian, slasher, alice];
        for (uint256 i; i < 3; ++i) {
            vm.prank(others[i]);
            vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, others[i]));
            staking.retireSlasher(slasher);
        }
    }

    /// One that never was active has begun nothing, so it finishes nothing.
    function test_oneThatNeverWasActiveGetsNoRights() public {
        uint256 epoch = staking.currentEpoch();
        vm.prank(timelock);
        staking.proposeSlasher(carol);
        vm.warp(block.timestamp + 4 * EPOCH - 1);
        _retire(carol);
        for (uint256 i; i < 7; ++i) {
            vm.startPrank(carol);
            vm.expectRevert(abi.encodeWithSelector(IStaking.Unauthorised.selector, carol));
            staking.slash(miner, 0.1e18, epoch, 0, carol, 0);
            vm.expectRevert(abi.encodeWithSelector(IStaking.Unauthorised.selector, carol));
            staking.hold(miner, 0.1e18);
            vm.stopPrank();
            assertFalse(staking.isSlasher(carol));
            _nextEpoch(1);
        }
    }

    /// Retired, it slashes under what it held and nothing else.
    function test_slashesNothingNew() public {
        _delegate(miner, alice, 100e18);
        uint256 epoch = _hold(miner, 0.1e18);
        _retire(slasher);
        vm.prank(slasher);
        vm.expectRevert(abi.encodeWithSelector(IStaking.Unauthorised.selector, slasher));
        staking.slash(miner, 0.11e18, epoch, 0, slasher, 0);
        _nextEpoch(1);
        vm.prank(slasher);
        vm.expectRevert(abi.encodeWithSelector(IStaking.Unauthorised.selector, slasher));
        staking.slash(miner, 0.1e18, epoch + 1, 0, slasher, 0);
        vm.prank(slasher);
        (uint256 slashed,) = staking.slash(miner, 0.1e18, epoch, 0, slasher, 0);
        assertEq(slashed, 10e18);
        // And that once.
        vm.prank(slasher);
        vm.expectRevert(abi.encodeWithSelector(IStaking.Unauthorised.selector, slasher));
        staking.slash(miner, 0.1e18, epoch, 0, slasher, 0);
    }
}
