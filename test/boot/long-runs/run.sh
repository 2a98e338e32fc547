# Runs the scripts of /rows, in the guest or on the bare machine. What they say goes through a pipe: a terminal would be talked to otherwise.
export LC_ALL=C HOME=/tmp
for script in /rows/*.sh; do
  name=${script##*/}
  name=${name%.sh}
  echo "MARK $name-start"
  {
    sh "$script" 2>&1
    echo "MARK $name-end ck=$?"
  } | cat
done
