// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {BaseTest, IStaking, Role} from "../utils/BaseTest.sol";

contract UnjailTest is BaseTest {
    uint256 internal _until;

    function setUp() public override {
        super.setUp();
        _registerMiner(30_000e18);
        vm.prank(address(payments));
        staking.jail(miner, 100);
        _until = block.timestamp + 100;
    }

    function test_givesTheWeightBack() public {
        _delegate(miner, alice, 100e18);
        vm.warp(_until);
        vm.expectEmit(address(staking));
        emit IStaking.Unjailed(miner, 30_100e18);
        vm.prank(miner);
        staking.unjail();
        (bool jailed, uint256 until) = staking.jailStatus(miner);
        assertFalse(jailed);
        assertEq(until, _until);
        assertEq(staking.weightOf(miner), 30_100e18);
        assertEq(staking.totalWeight(Role.Miner), 30_100e18);
    }

    function test_revertsBeforeTheTermIsOver() public {
        vm.warp(_until - 1);
        vm.prank(miner);
        vm.expectRevert(abi.encodeWithSelector(IStaking.Jailed.selector, miner, _until));
        staking.unjail();
    }

    function test_revertsWhenNotJailed() public {
        vm.warp(_until);
        vm.startPrank(miner);
        staking.unjail();
        vm.expectRevert(abi.encodeWithSelector(IStaking.NotJailed.selector, miner));
        staking.unjail();
    }

    function test_nobodyElseCan() public {
        vm.warp(_until);
        vm.prank(address(payments));
        vm.expectRevert(abi.encodeWithSelector(IStaking.NotJailed.selector, address(payments)));
        staking.unjail();
        assertEq(staking.weightOf(miner), 0);
    }

    function test_ofATombstonedOneGivesNoWeight() public {
        _delegate(miner, miner, 10_000_000e18);
        for (uint256 i; i < 7; ++i) {
            _slash(miner, 0.5e18);
            _nextEpoch(1);
        }
        assertTrue(staking.isTombstoned(miner));
        assertGt(staking.assetsOf(miner, miner), MIN_MINER);
        vm.expectEmit(address(staking));
        emit IStaking.Unjailed(miner, 0);
        vm.prank(miner);
        staking.unjail();
        assertEq(staking.weightOf(miner), 0);
    }

    function test_goesOnWhileEntryIsPaused() public {
        vm.warp(_until);
        vm.prank(guardian);
        staking.pauseEntry(block.timestamp + 1 days);
        vm.prank(miner);
        staking.unjail();
        assertEq(staking.weightOf(miner), 30_000e18);
    }
}
