// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {BaseTest, IStaking} from "../utils/BaseTest.sol";

contract ProposeSlasherTest is BaseTest {
    function _propose(address account) internal {
        vm.prank(timelock);
        staking.proposeSlasher(account);
    }

    function test_isActiveAfterUnbondingAndAnEpoch() public {
        uint256 epoch = staking.currentEpoch();
        uint256 activeFrom = block.timestamp + 4 * EPOCH;
        vm.expectEmit(address(staking));
        emit IStaking.SlasherProposed(carol, activeFrom);
        _propose(carol);

        vm.warp(activeFrom - 1);
        assertFalse(staking.isSlasher(carol));
        vm.startPrank(carol);
        vm.expectRevert(abi.encodeWithSelector(IStaking.Unauthorised.selector, carol));
        staking.hold(miner, 0.1e18);
        vm.expectRevert(abi.encodeWithSelector(IStaking.Unauthorised.selector, carol));
        staking.slash(miner, 0.1e18, epoch, 0, carol, 0);
        vm.expectRevert(abi.encodeWithSelector(IStaking.NotHeld.selector, miner, epoch, 0, 1));
        staking.release(miner, 1, epoch);

        vm.warp(activeFrom);
        assertTrue(staking.isSlasher(carol));
        epoch = staking.hold(miner, 0.1e18);
        staking.slash(miner, 0.05e18, epoch, 0, carol, 0);
    }

    /// Whoever leaves when it hears of it, at the end of an epoch or at its beginning, is out before.
    function test_whoLeavesAtOnceIsOutBefore() public {
        _delegate(miner, alice, 100e18);
        uint256 epoch = staking.currentEpoch();
        for (uint256 i; i < 2; ++i) {
            address account = makeAddr(vm.toString(i));
            vm.warp(epoch * EPOCH + i * (EPOCH - 1));
            _propose(account);
            _undelegate(miner, alice, 50e18 * FIRST);
        }
        vm.warp(staking.maturityOf(epoch) * EPOCH + EPOCH - 1);
        assertFalse(staking.isSlasher(makeAddr("0")));
        assertFalse(staking.isSlasher(makeAddr("1")));
        assertEq(staking.withdraw(miner, epoch, alice), 100e18);
    }

    function test_anAccountIsNamedOnce() public {
        _propose(carol);
        vm.startPrank(timelock);
        vm.expectRevert(abi.encodeWithSelector(IStaking.SlasherKnown.selector, carol));
        staking.proposeSlasher(carol);
        vm.expectRevert(abi.encodeWithSelector(IStaking.SlasherKnown.selector, slasher));
        staking.proposeSlasher(slasher);
        staking.retireSlasher(slasher);
        vm.warp(block.timestamp + 100 days);
        vm.expectRevert(abi.encodeWithSelector(IStaking.SlasherKnown.selector, slasher));
        staking.proposeSlasher(slasher);
    }

    function test_revertsOnNobodyAndForOthers() public {
        vm.prank(timelock);
        vm.expectRevert(IStaking.ZeroAddress.selector);
        staking.proposeSlasher(address(0));
        address[3] memory others = [guardian, slasher, alice];
        for (uint256 i; i < 3; ++i) {
            vm.prank(others[i]);
            vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, others[i]));
            staking.proposeSlasher(carol);
        }
    }
}
