"""A bank in which two tellers transfer money between the same two accounts, in opposite directions.

Each transfer locks both accounts. How it takes the locks decides whether the tellers ever come home.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

Diary = list[tuple[float, str, str]]
"""(seconds, teller, what it does)"""

PATIENCE: Final = 0.03
"""Seconds for which a careful teller waits for the second lock."""


class Account:
    def __init__(self, owner: str, balance: int, lock: threading.Lock) -> None:
        self.owner = owner
        self.balance = balance
        self.lock = lock


class Bank:
    def __init__(self, diary: Diary, ledger: float) -> None:
        self.diary = diary
        self.ledger = ledger  # seconds that a teller looks into the ledger, between the two locks
        self.began = time.monotonic()

    def write(self, what: str) -> None:
        teller = threading.current_thread().name
        self.diary.append((time.monotonic() - self.began, teller, what))

    def move(self, giver: Account, taker: Account, amount: int) -> None:
        giver.balance -= amount
        taker.balance += amount
        self.write("moves the money")

    # -- three ways to take two locks

    def giver_first(self, giver: Account, taker: Account, amount: int) -> None:
        self.write(f"wants {giver.owner}'s lock")
        with giver.lock:
            self.write(f"has {giver.owner}'s lock")
            time.sleep(self.ledger)
            self.write(f"wants {taker.owner}'s lock")
            with taker.lock:
                self.write(f"has {taker.owner}'s lock")
                self.move(giver, taker, amount)

    def in_order(self, giver: Account, taker: Account, amount: int) -> None:
        """Everybody takes the locks in the same order, by the owner's name."""
        first, second = sorted((giver, taker), key=lambda account: account.owner)
        self.write(f"wants {first.owner}'s lock")
        with first.lock:
            self.write(f"has {first.owner}'s lock")
            time.sleep(self.ledger)
            self.write(f"wants {second.owner}'s lock")
            with second.lock:
                self.write(f"has {second.owner}'s lock")
                self.move(giver, taker, amount)

    def with_patience(self, giver: Account, taker: Account, amount: int) -> None:
        """Who does not get the second lock in time gives the first one back, and begins again."""
        patience = PATIENCE * (1 if giver.owner < taker.owner else 2)  # unlike the other's, or both give up for ever
        while True:
            self.write(f"wants {giver.owner}'s lock")
            with giver.lock:
                self.write(f"has {giver.owner}'s lock")
                time.sleep(self.ledger)
                self.write(f"wants {taker.owner}'s lock")
                if taker.lock.acquire(timeout=patience):
                    self.write(f"has {taker.owner}'s lock")
                    self.move(giver, taker, amount)
                    taker.lock.release()
                    return
                self.write("gives up, and its lock back")
            time.sleep(self.ledger)


WAYS: Final[dict[str, Callable[[Bank, Account, Account, int], None]]] = {
    "giver first": Bank.giver_first,
    "in one order": Bank.in_order,
    "with a time limit": Bank.with_patience,
}


def open_bank(way: str, ledger: float, diary: Diary) -> dict[str, int]:
    """The balances in the evening."""
    bank = Bank(diary, ledger)
    ann = Account("Ann", 100, threading.Lock())
    ben = Account("Ben", 100, threading.Lock())
    transfer = WAYS[way]
    tellers = [
        threading.Thread(target=transfer, args=(bank, ann, ben, 10), name="teller 1"),
        threading.Thread(target=transfer, args=(bank, ben, ann, 30), name="teller 2"),
    ]
    for teller in tellers:
        teller.start()
    for teller in tellers:
        teller.join()
    return {account.owner: account.balance for account in (ann, ben)}
