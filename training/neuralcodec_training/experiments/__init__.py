# SPDX-License-Identifier: Apache-2.0
"""Small, equal trainings that compare methods: the arms and tables of docs/experiments.md, their runner and their report."""
